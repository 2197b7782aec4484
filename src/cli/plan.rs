//! What a typed scan means, and `plan`, which says what it would send and sends nothing.

use std::io::{BufReader, Write as _};
use std::net::IpAddr;
use std::path::Path;

use anyhow::{Context, anyhow};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::args::{Keys, ProofArg, Scan, Switch};
use super::case::scope_in_force;
use super::exit::{Exit, Stop};
use super::hunt;
use super::scope::span;
use super::term::{Output, Term, seconds, width};
use crate::clock::{Clock, SystemClock};
use crate::net::{Rates, network_of};
use crate::observation::Speech;
use crate::probe::{Costs, HuntSettings, Proof, Settings, SshKeys, Want};
use crate::report::Rows;
use crate::scan::GiveUp;
use crate::scope::address::step;
use crate::scope::{Narrowing, Scope};
use crate::store::{Case, State};
use crate::target::{Order, Shard, TargetLine, Targets, parse_line, read_lines};

/// Most networks listed by `plan`.
const MOST_NETWORKS: usize = 256;

/// A scan as it is meant.
pub(super) struct ScanPlan {
    pub(super) scope: Scope,
    pub(super) targets: Targets,
    pub(super) settings: Settings,
    /// What to look for; `None` is a full capture of everybody.
    pub(super) hunting: Option<HuntSettings>,
    /// When the hunt leaves out the rest of a network.
    pub(super) give_up: Option<GiveUp>,
    pub(super) shard: Shard,
    pub(super) rates: Rates,
    pub(super) notes: Vec<String>,
}

impl ScanPlan {
    /// From what was typed and the scope in force.
    pub(super) fn new(args: &Scan, scope: &Scope) -> Result<Self, Stop> {
        let shard = args.shard.as_deref().map(str::parse).transpose().map_err(Stop::usage)?.unwrap_or(Shard::WHOLE);
        let want = match &args.only {
            None => Want::ALL,
            Some(text) => text
                .parse()
                .map_err(|error| Stop::usage(anyhow!("{error}: --only takes some of jarm,cert,http,ssh")))?,
        };
        let speeches: Vec<Speech> = Speech::ALL.into_iter().filter(|speech| want.speech(*speech)).collect();
        let narrowing = Narrowing {
            speeches: Some(speeches),
            connections_per_second: args.rate,
            networks: None,
            shards: (shard.count() > 1).then(|| shard.count()),
        };
        let narrowed = scope.narrow(&narrowing).map_err(Stop::usage)?;
        let scope = narrowed.scope;
        let targets = if args.targets.is_empty() {
            Targets::from_scope(&scope).map_err(Stop::usage)?
        } else {
            Targets::from_lines(&scope, &lines(&args.targets)?).map_err(Stop::usage)?
        };
        let mut notes = narrowed.notes;
        for left in targets.left_out().iter().take(5) {
            notes.push(format!("left out {}: {}", left.target.network, left.why));
        }
        if targets.left_out_in_all() > 5 {
            notes.push(format!("left out {} targets in all", targets.left_out_in_all()));
        }
        if targets.hosts() == 0 {
            let why = targets.left_out().first().map_or(String::new(), |left| format!(": {}", left.why));
            return Err(Stop::scope(anyhow!(
                "the scope permits none of these targets{why}. Nothing was sent; `hostkin scope check` says what it permits"
            )));
        }
        let settings = Settings {
            want,
            ssh_keys: if args.ssh_keys == Keys::First { SshKeys::First } else { SshKeys::All },
            proof: if args.proof == Some(ProofArg::Needed) { Proof::Needed } else { Proof::Always },
            favicon: args.favicon == Switch::On,
            page: scope.page().map(str::to_owned),
            retries: 1,
        };
        let rates = rates(&scope);
        Ok(Self { scope, targets, settings, hunting: None, give_up: None, shard, rates, notes })
    }

    /// The resolved configuration, as the run's row keeps it.
    pub(super) fn config(&self, discovery: &str) -> Value {
        let mut config = json!({
            "want": self.settings.want.words(),
            "ssh_keys": if self.settings.ssh_keys == SshKeys::First { "first" } else { "all" },
            "proof": word(self.settings.proof),
            "favicon": self.settings.favicon,
            "retries": self.settings.retries,
            "page": self.settings.page,
            "targets_sha256": self.targets.digest(),
            "shard": self.shard.to_string(),
            "discovery": discovery,
        });
        if let (Some(hunting), Some(map)) = (&self.hunting, config.as_object_mut()) {
            map.insert("hunt".to_owned(), json!(hunting.hunt.as_ref()));
            map.insert("proof_of_matches".to_owned(), json!(word(hunting.proof_of_matches)));
            map.insert("give_up".to_owned(), json!(self.give_up));
        }
        config
    }

    /// What decides whether an unfinished run is of the same plan. Rates may change on the way; who is asked what may not.
    /// Nor does it matter how those who answer are found: the word here is the same for all.
    pub(super) fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.config("connect").to_string().as_bytes()).into()
    }

    /// What one host with these services costs.
    fn costs(&self, services: &[(Speech, u16)]) -> Costs {
        Costs::of(services.iter().map(|(speech, _)| *speech), &self.settings, self.rates.host_total)
    }

    /// The seed of the order for a shard when none is given: the same on every machine that scans a shard of this plan,
    /// whatever way of discovery its rights allow.
    pub(super) fn shared_seed(&self) -> u64 {
        let mut config = self.config("");
        if let Some(config) = config.as_object_mut() {
            config.shift_remove("shard");
        }
        let digest = Sha256::digest(format!("hostkin/order/1\n{config}").as_bytes());
        u64::from_be_bytes(digest.first_chunk().copied().unwrap_or_default())
    }

    /// The limits as the run's row keeps them.
    pub(super) fn limits(&self) -> Value {
        json!(self.scope.limits())
    }
}

fn word(proof: Proof) -> &'static str {
    match proof {
        Proof::Needed => "needed",
        Proof::Always => "always",
    }
}

/// The scope's limits, as the door counts them.
pub(super) fn rates(scope: &Scope) -> Rates {
    let limits = scope.limits();
    Rates {
        run: limits.connections_per_second,
        network: limits.per_network_per_second,
        host: limits.per_host_per_second,
        host_total: limits.per_host_connections.map(|most| u32::try_from(most).unwrap_or(u32::MAX)),
        asn: limits.per_asn_per_second,
    }
}

/// Target lines from files and from the command line itself.
pub(super) fn lines(given: &[String]) -> Result<Vec<TargetLine>, Stop> {
    let mut all = Vec::new();
    for text in given {
        match parse_line(text) {
            Ok(Some(line)) => all.push(line),
            Ok(None) => {}
            Err(problem) => {
                let path = Path::new(text);
                if !path.is_file() {
                    return Err(Stop::usage(anyhow!("`{text}` is neither a target nor a file: {problem}")));
                }
                let file = std::fs::File::open(path).with_context(|| format!("cannot read `{text}`"))?;
                all.extend(read_lines(BufReader::new(file), path).map_err(Stop::usage)?);
            }
        }
    }
    Ok(all)
}

pub(super) fn run(args: &Scan, term: &Term) -> Result<Exit, Stop> {
    let clock = SystemClock::new();
    let case = Case::open_read_only(&args.case)?;
    let scope = scope_in_force(&case, &clock, term)?;
    let mut plan = ScanPlan::new(args, &scope)?;
    hunt::settle(&mut plan, args, &case)?;
    for note in &plan.notes {
        term.warn(note);
    }
    let mut out = Output::open(None)?;
    write!(out, "{}", summary(&plan, &clock))?;
    if let Some(line) = earlier(&case, args, &plan)? {
        writeln!(out, "{line}")?;
    }
    writeln!(out)?;
    write!(out, "{}", hunt::words(&plan))?;
    networks(&plan).write_table(&mut out, Some(width()))?;
    out.finish()?;
    term.say("nothing was sent");
    Ok(Exit::Done)
}

/// The run that a scan of this plan would go on with, or the last one that did all of it.
fn earlier(case: &Case, args: &Scan, plan: &ScanPlan) -> Result<Option<String>, Stop> {
    let digest = plan.digest();
    let unfinished = if args.new { None } else { case.unfinished_run(&digest)? };
    if let Some(state) = unfinished {
        let hosts = Order::new(state.seed, plan.targets.hosts(), plan.shard).len();
        let left = hosts.saturating_sub(state.position.low.saturating_add(state.position.done_above()));
        return Ok(Some(format!(
            "unfinished       run {} is of this plan: {left} of {hosts} hosts are left, and `hostkin scan` goes on with it",
            state.id
        )));
    }
    let runs = case.runs()?;
    let done = runs.iter().rfind(|run| run.plan_sha256 == digest && run.state == State::Done);
    Ok(done.map(|run| {
        let ended = run.ended_at.map_or(String::new(), |at| format!(" on {}", seconds(at)));
        format!("done before      run {} of this plan ended{ended}; `hostkin scan` asks everybody again", run.id)
    }))
}

/// Bytes as people say them.
fn bytes(count: u128) -> String {
    match count {
        0..10_000 => format!("{count} B"),
        10_000..10_000_000 => format!("{} kB", count / 1_000),
        10_000_000..10_000_000_000 => format!("{} MB", count / 1_000_000),
        _ => format!("{} GB", count / 1_000_000_000),
    }
}

/// Connections, bytes and time of the whole scan.
fn summary(plan: &ScanPlan, clock: &dyn Clock) -> String {
    let share = u128::from(plan.shard.count().max(1));
    let count = |which: fn(&Costs) -> u64| {
        let each =
            plan.targets.stretches().map(|(range, services)| range.count() * u128::from(which(&plan.costs(&services))));
        each.sum::<u128>() / share
    };
    let (dead, usual, most) = (count(|costs| costs.dead), count(|costs| costs.usual), count(|costs| costs.most));
    let time = |count: u128| match plan.rates.run {
        None => String::new(),
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        Some(rate) => format!(", at least {}", span(count as f64 / rate)),
    };
    // Measured on the wire for JARM and a session: about 430 bytes up and up to 4,500 down for each connection.
    format!(
        "hosts            {} (shard {})\nservices         {}\nif all are dead  {dead} connections{}\nif all answer    some {usual} connections{}; about {} up, up to {} down\nat most          {most} connections{}\nscope            \"{}\", valid until {} (now {})\n",
        u128::from(plan.targets.hosts()) / share,
        plan.shard,
        plan.targets.services(),
        time(dead),
        time(usual),
        bytes(usual * 430),
        bytes(usual * 4_500),
        time(most),
        plan.scope.title(),
        plan.scope.valid_until(),
        seconds(clock.now()),
    )
}

/// Per /24 and /48: addresses, services and connections.
fn networks(plan: &ScanPlan) -> Rows {
    let columns = ["network", "hosts", "connections if dead", "if all answer", "at most", "at least"];
    // Without a limit to a network there is no least time to tell.
    let shown = columns.len() - usize::from(plan.rates.network.is_none());
    let mut rows = Rows::new(columns.get(..shown).unwrap_or(&columns));
    let mut listed: Vec<(IpAddr, [u128; 4])> = Vec::new();
    let mut left = 0u64;
    for (range, services) in plan.targets.stretches() {
        let costs = plan.costs(&services);
        let mut first = range.first;
        while first <= range.last {
            let network = network_of(first);
            let size: u128 = if first.is_ipv4() { 256 } else { 1 << 80 };
            let last = step(network, size - 1).unwrap_or(range.last).min(range.last);
            let hosts = crate::scope::address::number(last) - crate::scope::address::number(first) + 1;
            if listed.last().is_none_or(|row| row.0 != network) {
                if listed.len() == MOST_NETWORKS {
                    left += 1;
                    break;
                }
                listed.push((network, [0; 4]));
            }
            if let Some((_, sums)) = listed.last_mut() {
                for (sum, each) in sums.iter_mut().zip([1, costs.dead, costs.usual, costs.most]) {
                    *sum += hosts * u128::from(each);
                }
            }
            let Some(next) = step(last, 1) else { break };
            first = next;
        }
    }
    for (network, [hosts, dead, usual, most]) in listed {
        let prefix = if network.is_ipv4() { 24 } else { 48 };
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let time = plan.rates.network.map_or("-".to_owned(), |rate| span(dead as f64 / rate));
        let mut row = vec![
            json!(format!("{network}/{prefix}")),
            json!(hosts.to_string()),
            json!(dead.to_string()),
            json!(usual.to_string()),
            json!(most.to_string()),
            json!(time),
        ];
        row.truncate(shown);
        rows.push(row);
    }
    if left > 0 {
        let rest = format!("further networks are not listed (more than {MOST_NETWORKS})");
        let mut row = vec![json!(rest)];
        row.resize(shown, Value::Null);
        rows.push(row);
    }
    rows
}
