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

use acceptance::{Bench, faults};
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
    assert_eq!(faults(&street, &full, &hunt), Vec::<String>::new());
    let ruled_out = |role: Role| street.residents.iter().filter(move |(_, one)| one.role == role);
    assert!(ruled_out(Role::Stranger).all(|(at, _)| hunt.pruned.contains(at)), "strangers are cut short");
}
