//! Which way packets to an address go: the kernel's routing table and neighbour table, read from `/proc/net`.
//!
//! A frame written by hand needs to know its interface and the hardware address of the next hop. Only what is plain is
//! answered with a [`Way`]; anything else (a network on the wire itself, a rejected route, several tables) is left to the
//! kernel's own connections.

use std::net::Ipv4Addr;

/// Most routes looked through for each address; a router's full table is not for us.
const MOST_ROUTES: usize = 512;

/// One line of the routing table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    network: u32,
    mask: u32,
    metric: u32,
    /// None: everybody of this network is on the wire itself.
    pub(super) gateway: Option<Ipv4Addr>,
    /// Empty for a route that refuses.
    pub(super) interface: String,
}

impl Route {
    fn holds(&self, address: u32) -> bool {
        address & self.mask == self.network
    }
}

/// The main table, and the networks that are this machine itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Routes {
    routes: Vec<Route>,
    local: Vec<(u32, u32)>,
}

impl Routes {
    /// From the texts of `/proc/net/route` and `/proc/net/fib_trie`.
    ///
    /// # Errors
    /// Why hand-written frames cannot follow this machine's routing.
    pub(super) fn parse(route: &str, fib_trie: &str) -> Result<Self, String> {
        if fib_trie.lines().any(|line| line.starts_with("Id ")) {
            return Err("this machine routes by several tables".to_owned());
        }
        let mut routes: Vec<Route> = route.lines().skip(1).filter_map(parse_route).collect();
        if routes.len() > MOST_ROUTES {
            return Err(format!("this machine has more than {MOST_ROUTES} routes"));
        }
        // The most specific first, and of these the cheapest.
        routes.sort_by_key(|route| (u32::MAX - route.mask, route.metric));
        Ok(Self { routes, local: parse_local(fib_trie) })
    }

    /// True for addresses of this machine, loopback included.
    pub(super) fn is_local(&self, address: Ipv4Addr) -> bool {
        let address = u32::from(address);
        address >> 24 == 127 || self.local.iter().any(|(network, mask)| address & mask == *network)
    }

    /// The route to an address, by number.
    pub(super) fn find(&self, address: Ipv4Addr) -> Option<usize> {
        let address = u32::from(address);
        self.routes.iter().position(|route| route.holds(address))
    }

    pub(super) fn get(&self, number: usize) -> Option<&Route> {
        self.routes.get(number)
    }

    pub(super) fn len(&self) -> usize {
        self.routes.len()
    }
}

/// `Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT`, numbers in hex as they lie in memory.
fn parse_route(line: &str) -> Option<Route> {
    const UP: u32 = 0x1;
    const GATEWAY: u32 = 0x2;
    const REJECT: u32 = 0x200;
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [interface, network, gateway, flags, _, _, metric, mask, ..] = *fields.as_slice() else { return None };
    let address =
        |text: &str| u32::from_str_radix(text, 16).ok().map(|number| u32::from_be_bytes(number.to_ne_bytes()));
    let flags = u32::from_str_radix(flags, 16).ok()?;
    if flags & UP == 0 && flags & REJECT == 0 {
        return None;
    }
    Some(Route {
        network: address(network)?,
        mask: address(mask)?,
        metric: metric.parse().ok()?,
        gateway: if flags & GATEWAY == 0 { None } else { address(gateway).map(Ipv4Addr::from) },
        interface: if flags & REJECT == 0 { interface.to_owned() } else { String::new() },
    })
}

/// Networks of type LOCAL: a leaf `|-- 127.0.0.0`, under it `/8 host LOCAL`.
fn parse_local(fib_trie: &str) -> Vec<(u32, u32)> {
    let mut found = Vec::new();
    let mut leaf = None;
    for line in fib_trie.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse::<Ipv4Addr>().ok().map(u32::from);
        } else if let Some(entry) = line.strip_prefix('/')
            && let Some((length, kind)) = entry.split_once(' ')
            && kind.split_whitespace().any(|word| word == "LOCAL")
            && let (Some(leaf), Ok(length)) = (leaf, length.parse::<u32>())
        {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(length)).unwrap_or(0);
            found.push((leaf & mask, mask));
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The hardware address of a neighbour, from the text of `/proc/net/arp`: `IP HW-type Flags HW-address Mask Device`.
pub(super) fn neighbour(arp: &str, address: Ipv4Addr, interface: &str) -> Option<[u8; 6]> {
    const COMPLETE: u32 = 0x2;
    arp.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [ip, _, flags, hardware, _, device] = *fields.as_slice() else { return None };
        let flags = u32::from_str_radix(flags.trim_start_matches("0x"), 16).ok()?;
        if device != interface || flags & COMPLETE == 0 || ip.parse() != Ok(address) {
            return None;
        }
        let bytes: Option<Vec<u8>> = hardware.split(':').map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
        bytes?.try_into().ok()
    })
}

/// The first block of `count` ports, from the top down, that the kernel does not give to its own connections.
///
/// `range` is the text of `/proc/sys/net/ipv4/ip_local_port_range`.
pub(super) fn free_ports(range: &str, count: u16) -> Option<u16> {
    let mut ends = range.split_whitespace().map(str::parse::<u16>);
    let (Some(Ok(low)), Some(Ok(high))) = (ends.next(), ends.next()) else { return None };
    let above = (u16::MAX - count).checked_add(1).filter(|first| *first > high);
    // Below 10,000 there are too many services of this machine itself.
    let below = low.checked_sub(count).filter(|first| *first >= 10_000);
    above.or(below)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTE: &str = "\
Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010210AC	0003	0	0	100	00000000	0	0	0
eth1	00000000	FE0210AC	0003	0	0	0	00000000	0	0	0
eth0	000210AC	00000000	0001	0	0	0	00FFFFFF	0	0	0
*	0000130A	00000000	0200	0	0	0	0000FFFF	0	0	0
wg0	0000140A	00000000	0001	0	0	0	0000FFFF	0	0	0
";
    const TRIE: &str = "\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
Local:
  +-- 0.0.0.0/0 3 0 5
     +-- 127.0.0.0/8 2 0 2
        +-- 127.0.0.0/31 1 0 0
           |-- 127.0.0.0
              /8 host LOCAL
           |-- 127.0.0.1
              /32 host LOCAL
        |-- 127.255.255.255
           /32 link BROADCAST
     |-- 172.16.2.7
        /32 host LOCAL
";

    fn address(text: &str) -> Ipv4Addr {
        text.parse().unwrap()
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn the_most_specific_and_then_the_cheapest_route_is_taken() {
        let routes = Routes::parse(ROUTE, TRIE).unwrap();
        let way = |to: &str| {
            let route = routes.get(routes.find(address(to)).unwrap()).unwrap();
            (route.interface.clone(), route.gateway.map(|gateway| gateway.to_string()))
        };
        assert_eq!(way("192.0.2.1"), ("eth1".into(), Some("172.16.2.254".into())));
        assert_eq!(way("172.16.2.9"), ("eth0".into(), None));
        assert_eq!(way("10.20.1.1"), ("wg0".into(), None));
        assert_eq!(way("10.19.255.255"), (String::new(), None), "a route that refuses");
        assert_eq!(routes.len(), 5);
    }

    #[test]
    fn this_machine_itself_is_known() {
        let routes = Routes::parse(ROUTE, TRIE).unwrap();
        assert!(routes.is_local(address("172.16.2.7")) && routes.is_local(address("127.77.1.2")));
        assert!(!routes.is_local(address("172.16.2.8")));
    }

    #[test]
    fn several_tables_are_left_to_the_kernel() {
        assert!(Routes::parse(ROUTE, "Main:\nId 100:\n").is_err());
    }

    #[test]
    fn only_a_settled_neighbour_on_the_right_wire_is_taken() {
        let arp = "IP address       HW type     Flags       HW address            Mask     Device\n\
                   172.16.2.254     0x1         0x0         00:00:00:00:00:00     *        eth1\n\
                   172.16.2.254     0x1         0x2         02:fc:00:00:00:05     *        eth0\n\
                   198.18.0.2       0x1         0x6         02:00:00:00:00:02     *        c0\n";
        assert_eq!(neighbour(arp, address("172.16.2.254"), "eth1"), None);
        assert_eq!(neighbour(arp, address("172.16.2.254"), "eth0"), Some([2, 0xfc, 0, 0, 0, 5]));
        assert_eq!(neighbour(arp, address("198.18.0.2"), "c0"), Some([2, 0, 0, 0, 0, 2]));
    }

    #[test]
    fn ports_lie_outside_of_the_kernels_own() {
        assert_eq!(free_ports("32768\t60999\n", 256), Some(65_280));
        assert_eq!(free_ports("10240 65535", 256), None);
        assert_eq!(free_ports("32768 65535", 256), Some(32_512));
        assert_eq!(free_ports("1024 65279", 256), Some(65_280));
        assert_eq!(free_ports("1024 65280", 256), None);
        assert_eq!(free_ports("", 256), None);
    }
}
