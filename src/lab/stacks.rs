//! The web servers of the street: common programs as they are shipped, and what the houses made of them.

use super::site::Head::{Connection, Date, Etag, Fixed, Length, Location, Modified, Realm, Server, Type};
use super::site::{Head, Stack};

const NGINX: &[Head] =
    &[Server, Date, Type, Length, Modified, Connection, Location, Realm, Etag, Fixed("Accept-Ranges", "bytes")];

/// nginx as a distribution ships it.
pub(super) static STOCK_NGINX: Stack = Stack { server: Some("nginx/1.22.1"), heads: NGINX, lower: false };
/// The same of another release.
pub(super) static STOCK_NGINX_OLD: Stack = Stack { server: Some("nginx/1.18.0"), heads: NGINX, lower: false };
/// nginx told not to show its version: the line the first provider's proxy shows too.
pub(super) static QUIET_NGINX: Stack = Stack { server: Some("nginx"), heads: NGINX, lower: false };
/// Apache as a distribution ships it.
pub(super) static STOCK_APACHE: Stack = Stack {
    server: Some("Apache/2.4.62 (Debian)"),
    heads: &[
        Date,
        Server,
        Location,
        Realm,
        Modified,
        Etag,
        Fixed("Accept-Ranges", "bytes"),
        Length,
        Fixed("Vary", "Accept-Encoding"),
        Connection,
        Type,
    ],
    lower: false,
};
/// lighttpd.
pub(super) static STOCK_LIGHT: Stack = Stack {
    server: Some("lighttpd/1.4.69"),
    heads: &[Type, Location, Realm, Etag, Modified, Fixed("Accept-Ranges", "bytes"), Length, Connection, Date, Server],
    lower: false,
};
/// A script somebody left running.
pub(super) static SCRIPT: Stack = Stack {
    server: Some("SimpleHTTP/0.6 Python/3.11.2"),
    heads: &[Server, Date, Type, Length, Modified],
    lower: false,
};
/// The first provider's own proxy: a common name in front of an order of its own.
pub(super) static FIRST: Stack = Stack {
    server: Some("nginx"),
    heads: &[
        Server,
        Fixed("X-Frame-Options", "SAMEORIGIN"),
        Date,
        Type,
        Realm,
        Location,
        Length,
        Fixed("X-Node-Cache", "BYPASS"),
        Modified,
        Etag,
        Connection,
        Fixed("Referrer-Policy", "no-referrer"),
    ],
    lower: false,
};
/// The second provider's.
pub(super) static SECOND: Stack = Stack {
    server: Some("openresty"),
    heads: &[
        Date,
        Type,
        Length,
        Connection,
        Location,
        Realm,
        Modified,
        Server,
        Fixed("X-Content-Type-Options", "nosniff"),
        Fixed("X-Served-From", "pool"),
    ],
    lower: false,
};
/// A content delivery network's edge.
pub(super) static EDGE: Stack = Stack {
    server: Some("edge"),
    heads: &[
        Date,
        Type,
        Length,
        Connection,
        Location,
        Fixed("Cache-Control", "max-age=60"),
        Fixed("Via", "1.1 edge"),
        Fixed("X-Cache", "HIT"),
        Server,
    ],
    lower: true,
};
/// The web server inside a vendor's control panel.
pub(super) static PANEL: Stack = Stack {
    server: Some("deckd"),
    heads: &[
        Server,
        Type,
        Fixed("Set-Cookie", "decksession=0; Path=/; HttpOnly"),
        Fixed("X-Frame-Options", "DENY"),
        Length,
        Connection,
    ],
    lower: false,
};
/// The web servers of a lawful company's fleet.
pub(super) static FLEET: Stack = Stack {
    server: None,
    heads: &[
        Type,
        Length,
        Fixed("Strict-Transport-Security", "max-age=31536000"),
        Date,
        Location,
        Connection,
        Fixed("X-Request-Start", "0"),
    ],
    lower: true,
};
