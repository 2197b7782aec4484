//! The acceptance of a hunt, `tests/bench/hunt_street`, on a street small enough for every run of the tests: the same hosts
//! as the full mode, within its bounds.

#[path = "../bench/hunt_street/acceptance.rs"]
mod acceptance;
#[path = "../bench/hunt_street/speak.rs"]
mod speak;
#[path = "../bench/hunt_street/street.rs"]
mod street;

use std::net::Ipv4Addr;
use std::path::Path;

use acceptance::{Bench, faults, most_each};
use base64::Engine as _;
use ring::signature::KeyPair as _;
use street::{Role, Street};

#[test]
fn a_hunt_finds_the_same_hosts_as_the_full_mode_within_its_bounds() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    // Twice the same street, at ports of its own, so that both modes wait for the late at once.
    let up = || Street::up(Ipv4Addr::new(127, 80, 64, 0), 256, 32, false, &golden);
    let (street, twin) = (up(), up());
    for role in Role::ALL {
        assert!(street.residents.values().any(|one| one.role == role), "nobody plays {role:?}");
    }
    let scanned = |street: &Street, label, option| {
        let folder = tempfile::tempdir().unwrap();
        let program = env!("CARGO_BIN_EXE_hostkin").into();
        Bench { program, folder: folder.path(), street, network: "127.80.64.0/24".to_owned() }.scan(label, &[option])
    };
    let (full, hunt) = std::thread::scope(|scope| {
        let full = scope.spawn(|| scanned(&twin, "full", "--full"));
        let hunt = scanned(&street, "hunt", "--hunt");
        (full.join().unwrap(), hunt)
    });
    assert_eq!(faults(&street, &full, &hunt, most_each(false)), Vec::<String>::new());
    let ruled_out = |role: Role| street.residents.iter().filter(move |(_, one)| one.role == role);
    assert!(ruled_out(Role::Stranger).all(|(at, _)| hunt.pruned.contains(at)), "strangers are cut short");
}

#[test]
fn hunted_for_a_host_key_those_who_refuse_ssh_cost_nothing() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let street = Street::up(Ipv4Addr::new(127, 80, 65, 0), 128, 32, false, &golden);
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_hostkin").into();
    let bench = Bench { program, folder: folder.path(), street: &street, network: "127.80.65.0/25".to_owned() };
    bench.open("x.case");
    let public = speak::key("the provider's image").public_key().as_ref().to_vec();
    let blob = [&11_u32.to_be_bytes()[..], b"ssh-ed25519", &32_u32.to_be_bytes(), &public].concat();
    let digest =
        base64::engine::general_purpose::STANDARD_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, &blob));
    bench.hostkin(&[
        "seed",
        "x.case",
        "--facet",
        &format!("ssh.host_key=SHA256:{digest}"),
        "--why",
        "the test says so",
    ]);
    bench.hostkin(&["scan", "x.case", "--hunt", "--favicon", "off"]);
    let counts = street.take_counts();
    for (at, one) in street.residents.iter().filter(|(_, one)| one.role != Role::Late) {
        let services = counts.get(at).copied().unwrap_or_default();
        match one.role {
            Role::Provider | Role::Lossy | Role::OnlyKey => assert!(services[0] >= 10, "{one:?}: {services:?}"),
            _ if one.offers[1] => assert_eq!(services, [0, 1, 0], "{one:?}"),
            _ => assert_eq!(services, [0, 0, 0], "{one:?}"),
        }
    }
}
