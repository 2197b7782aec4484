//! What people put on their web servers.

use super::draw::Draw;
use super::names::House;
use super::site::Page;

const WORDS: &[&str] = &[
    "garden", "river", "paper", "winter", "signal", "market", "window", "orchard", "engine", "letter", "harvest",
    "bridge", "copper", "museum", "journey", "lantern", "village", "kitchen", "meadow", "ledger", "station", "weather",
    "carpet", "violin", "island", "button", "forest", "pencil", "saddle", "ticket",
];

/// The page of a freshly set up machine of `house`, the same on all of them.
pub(super) fn placeholder(house: &House) -> Page {
    let name = &house.name;
    let domain = &house.domain;
    html(
        &format!("{name} - node ready"),
        &format!(
            "<h1>Your node is ready</h1><p>This machine was set up by {name}. Upload your site to replace this page. \
             Support answers at desk.{domain} on working days between nine and five.</p>"
        ),
    )
    .touched(&format!("placeholder/{}", house.short))
    .with_icon(&house.short)
}

/// The page a distribution's web server shows when nobody has touched it.
pub(super) fn welcome(program: &str) -> Page {
    html(
        &format!("Welcome to {program}"),
        &format!(
            "<h1>It is running</h1><p>If you see this page, {program} is installed and works. Further configuration \
             is required before it serves a site of your own.</p><p><em>Thank you for using {program}.</em></p>"
        ),
    )
    .touched(program)
}

/// A site of somebody's own; every `label` gives another.
pub(super) fn own(seed: u64, label: &str) -> Page {
    let mut draw = Draw::new(seed, &format!("page {label}"));
    let title = format!("{} and {}", draw.pick(WORDS), draw.pick(WORDS));
    let lines: Vec<String> = (0..12)
        .map(|_| {
            let words: Vec<&str> = (0..9).map(|_| draw.pick(WORDS)).collect();
            format!("<p>{}.</p>", words.join(" "))
        })
        .collect();
    html(&title, &lines.join("\n"))
}

/// The login page of a vendor's control panel, the same wherever it is installed.
pub(super) fn panel(vendor: &House) -> Page {
    let name = &vendor.name;
    html(
        &format!("{name} login"),
        &format!(
            "<form method=\"post\" action=\"/login\"><h1>{name}</h1><label>User <input name=\"user\"></label>\
             <label>Password <input name=\"pass\" type=\"password\"></label><button>Enter</button></form>\
             <p>{name} 4.12, licensed to this machine only. See help.{} for help.</p>",
            vendor.domain
        ),
    )
    .with_icon(&vendor.short)
}

/// The shop of a customer who rents from several providers.
pub(super) fn shop(customer: &House) -> Page {
    let name = &customer.name;
    html(
        &format!("{name} | best prices"),
        &format!(
            "<h1>{name}</h1><p>Today only: every item at half its price. Enter your order number to follow your parcel.\
             </p><form><input name=\"order\"><button>Track</button></form><p>Contact: sales at {}</p>",
            customer.domain
        ),
    )
    .with_icon(&customer.short)
}

/// A redirect.
pub(super) fn moved(status: u16, to: &str) -> Page {
    let mut page = html("Moved", "<h1>Moved</h1><p>The page is elsewhere.</p>");
    page.status = status;
    page.location = Some(to.to_owned());
    page
}

/// A password prompt.
pub(super) fn locked(realm: &str) -> Page {
    let mut page = html("401", "<h1>Password needed</h1>");
    page.status = 401;
    page.realm = Some(realm.to_owned());
    page
}

fn html(title: &str, body: &str) -> Page {
    let body = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title></head>\n<body>\n{body}\n\
         </body>\n</html>\n"
    );
    Page { status: 200, body, ..Page::default() }
}

impl Page {
    /// A file that lies on disk as its package left it: the same dates wherever it is installed.
    fn touched(mut self, word: &str) -> Self {
        let time = Draw::new(0, word).below(0x0200_0000) + 0x6400_0000;
        self.etag = Some(format!("\"{time:x}-{:x}\"", self.body.len()));
        self.modified = Some("Tue, 04 Feb 2025 09:14:31 GMT");
        self
    }

    fn with_icon(mut self, word: &str) -> Self {
        self.favicon = Some(word.to_owned());
        self
    }
}
