//! `PeeringDB`: the daily dump (`{"net":{"data":[…]},"org":…}`, <https://publicdata.caida.org/datasets/peeringdb/>), an answer of its
//! API (`{"data":[…]}`) or a fixture (`[{"model","pk","fields"}]`). Networks, organisations and the mailboxes of abuse
//! desks are read; persons are not, and the rest is passed over.

use std::collections::BTreeMap;
use std::io::BufRead;

use serde::Deserialize;

use super::error::ReadError;
use super::json::each_item;
use super::out::Out;
use super::text::{bounded, date, some};
use crate::range::fact::{AsInfo, Asn, Fact, ObjectClass, ObjectKey, Organisation, RegistryObject};
use crate::range::object::peeringdb_desk;

/// What is read of one object; everything else is passed over by the parser.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Item {
    model: Option<String>,
    pk: Option<u64>,
    id: Option<u64>,
    fields: Option<Box<Item>>,
    asn: Option<u32>,
    org_id: Option<u64>,
    irr_as_set: Option<String>,
    name: Option<String>,
    website: Option<String>,
    country: Option<String>,
    updated: Option<String>,
    status: Option<String>,
    net_id: Option<u64>,
    role: Option<String>,
    visible: Option<String>,
    email: Option<String>,
}

pub(super) fn read(input: &mut dyn BufRead, out: &mut Out<'_>) -> Result<(), ReadError> {
    // A desk names its network by number, and the dump has networks first.
    let mut numbers: BTreeMap<u64, Asn> = BTreeMap::new();
    each_item(input, |key, item: Item| {
        let (model, id, object) = match item {
            Item { fields: Some(fields), model, pk, .. } => (model, pk, *fields),
            other => (None, other.id, other),
        };
        if object.status.as_deref().is_some_and(|status| status != "ok") {
            out.passed += 1;
            return Ok(());
        }
        let model = model.as_deref().unwrap_or(key);
        let is_net = model == "net" || model.ends_with(".network") || (model.is_empty() && object.irr_as_set.is_some());
        let is_org = model == "org" || model.ends_with(".organization");
        let text = |text: &Option<String>| text.as_deref().map(bounded).unwrap_or_default();
        let source = "peeringdb".to_owned();
        if is_net && let (Some(id), Some(asn)) = (id, object.asn) {
            numbers.insert(id, Asn(asn));
        }
        if let Some(desk) = desk(&object, &numbers) {
            return out.fact(Fact::Registry(Box::new(desk)));
        }
        match (is_net, object.asn, is_org, id) {
            (true, Some(asn), ..) => out.fact(Fact::AsInfo(AsInfo {
                asn: Asn(asn),
                name: text(&object.name),
                org: object.org_id.map(|org| format!("pdb:{org}")),
                domain: object.website.as_deref().and_then(some),
                changed: object.updated.as_deref().and_then(date),
                source,
                ..AsInfo::default()
            })),
            (_, _, true, Some(id)) => out.fact(Fact::Organisation(Organisation {
                id: format!("pdb:{id}"),
                name: text(&object.name),
                country: text(&object.country),
                source,
            })),
            _ => {
                out.passed += 1;
                Ok(())
            }
        }
    })
}

/// The abuse desk of a network, where the object is one that everybody may see.
fn desk(object: &Item, numbers: &BTreeMap<u64, Asn>) -> Option<RegistryObject> {
    let is = |text: &Option<String>, word: &str| text.as_deref().is_some_and(|text| text.eq_ignore_ascii_case(word));
    if !is(&object.role, "abuse") || object.visible.is_some() && !is(&object.visible, "public") {
        return None;
    }
    let (asn, mailbox) = (numbers.get(&object.net_id?)?, some(object.email.as_deref()?)?);
    let mut desk = RegistryObject::new(ObjectClass::Role, ObjectKey::Handle(peeringdb_desk(*asn)));
    "Abuse".clone_into(&mut desk.name);
    desk.abuse_mailbox = Some(mailbox);
    "peeringdb".clone_into(&mut desk.source);
    Some(desk)
}
