//! What tests of the whole program stand on: a folder with a scope file, the program itself, and far sides on loopback.
//!
//! Ports are chosen by the system and addresses belong to one test each, so that tests, and checkouts, run side by side.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hostkin::store::{Case, Run};
use serde_json::Value;
use socket2::{Domain, SockRef, Socket, Type};

/// A folder of one test, with its scope file and its case.
pub(crate) struct Desk {
    folder: tempfile::TempDir,
}

/// What the program said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// The same, after a check that all went well.
    pub(crate) fn done(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// Standard output as JSON lines.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Desk {
    /// An empty folder with this scope in `scope.toml`.
    pub(crate) fn new(scope: &str) -> Self {
        let desk = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::write(desk.path("scope.toml"), scope).unwrap();
        desk
    }

    /// The same with a new case `x.case` under the scope.
    pub(crate) fn with_case(scope: &str) -> Self {
        let desk = Self::new(scope);
        desk.hostkin(&["new", "x.case", "--scope", "scope.toml"]).done();
        desk
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// The program, about to run in this folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hostkin"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env("NO_COLOR", "1").env("HOSTKIN_ACTOR", "tester");
        command
    }

    /// Runs the program to its end.
    pub(crate) fn hostkin(&self, arguments: &[&str]) -> Said {
        let output = self.command(arguments).output().unwrap();
        Said {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Starts the program; what it says on standard error goes to a file.
    pub(crate) fn start(&self, arguments: &[&str], said: &str) -> Child {
        let said = std::fs::File::create(self.path(said)).unwrap();
        self.command(arguments).stdout(Stdio::null()).stderr(said).spawn().unwrap()
    }

    /// The case, for reading.
    pub(crate) fn case(&self) -> Case {
        Case::open_read_only(&self.path("x.case")).unwrap()
    }

    /// The last run of the case, if any was begun.
    pub(crate) fn last_run(&self) -> Option<Run> {
        self.case().runs().unwrap().pop()
    }

    /// Hosts of the last run whose results are committed.
    pub(crate) fn hosts_done(&self) -> u64 {
        self.last_run().map_or(0, |run| run.position.low + run.position.done_above())
    }
}

/// A scope of the lab. Grants are networks and ports, both as in TOML; `more` stands at the end.
pub(crate) fn scope(grants: &[(String, String)], more: &str) -> String {
    let head = "schema = \"hostkin/scope/1\"\ntitle = \"A test\"\nauthority = \"The test itself\"\nlab = true\n\
        valid_from = 2020-01-01T00:00:00Z\nvalid_until = 2100-01-01T00:00:00Z\n";
    let grant =
        |(networks, ports): &(String, String)| format!("[[grant]]\nnetworks = [{networks}]\nports = {{ {ports} }}\n");
    let grants: Vec<String> = grants.iter().map(grant).collect();
    [head, &grants.concat(), more, "\n"].concat()
}

/// Waits until something is so, and fails when it is not in time.
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < Duration::from_mins(1), "not in a minute: {what}");
        std::thread::sleep(Duration::from_millis(3));
    }
}

/// A far side that speaks to each connection on a thread of its own. Gives where it is.
pub(crate) fn far_side(
    address: impl Into<Ipv4Addr>,
    speak: impl Fn(&TcpStream) + Clone + Send + 'static,
) -> SocketAddrV4 {
    let listener = TcpListener::bind((address.into(), 0)).unwrap();
    let SocketAddr::V4(at) = listener.local_addr().unwrap() else { unreachable!() };
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let speak = speak.clone();
            std::thread::spawn(move || speak(&stream));
        }
    });
    at
}

/// Waits for the first bytes of the other side, and takes them.
pub(crate) fn hear(mut stream: &TcpStream) -> Vec<u8> {
    let mut heard = vec![0; 4096];
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let count = stream.read(&mut heard).unwrap_or(0);
    heard.truncate(count);
    heard
}

/// Says all of this, if the other side wants to hear it.
pub(crate) fn say(mut stream: &TcpStream, bytes: &[u8]) -> bool {
    stream.write_all(bytes).is_ok()
}

/// Waits for the other side to hang up.
pub(crate) fn hang(mut stream: &TcpStream) {
    let mut heard = [0; 4096];
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    while stream.read(&mut heard).is_ok_and(|count| count > 0) {}
}

/// Ends the connection with a reset.
pub(crate) fn reset(stream: &TcpStream) {
    SockRef::from(stream).set_linger(Some(Duration::ZERO)).unwrap();
}

/// A page as a small server sends it, without a date.
pub(crate) fn page(title: &str) -> String {
    let body = format!("<html><title>{title}</title><p>one two three four five six</html>");
    format!("HTTP/1.1 200 OK\r\nServer: small\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// One port on every loopback address, whose servers' answers depend on the address alone.
pub(crate) struct Street {
    pub(crate) port: u16,
    asked: Arc<Mutex<BTreeMap<Ipv4Addr, u32>>>,
    over: Arc<AtomicBool>,
}

impl Street {
    /// A street of servers that hear a request and give `answer`; an empty one closes.
    pub(crate) fn new(answer: impl Fn(Ipv4Addr) -> String + Send + 'static) -> Self {
        Self::speaking(move |at, _, stream| {
            hear(&stream);
            say(&stream, answer(at).as_bytes());
        })
    }

    /// A street of servers that speak as they please, one connection after the other unless `speak` starts a thread; it is
    /// told the address and how often that was connected to, this time included.
    pub(crate) fn speaking(speak: impl Fn(Ipv4Addr, u32, TcpStream) + Send + 'static) -> Self {
        let socket = everywhere();
        socket.listen(1024).unwrap();
        let port = port_of(&socket);
        let listener: TcpListener = socket.into();
        let asked = Arc::<Mutex<BTreeMap<Ipv4Addr, u32>>>::default();
        let over = Arc::<AtomicBool>::default();
        let (counted, ended) = (Arc::clone(&asked), Arc::clone(&over));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let Ok(SocketAddr::V4(at)) = stream.local_addr() else { continue };
                let times = {
                    let mut counted = counted.lock().unwrap();
                    let times = counted.entry(*at.ip()).or_default();
                    *times += 1;
                    *times
                };
                speak(*at.ip(), times, stream);
            }
        });
        Self { port, asked, over }
    }

    /// How often each address was connected to.
    pub(crate) fn asked(&self) -> BTreeMap<Ipv4Addr, u32> {
        self.asked.lock().unwrap().clone()
    }

    /// Connections in all.
    pub(crate) fn connections(&self) -> u32 {
        self.asked().values().sum()
    }
}

impl Drop for Street {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

/// One port that every loopback address refuses, held as long as this lives.
pub(crate) struct Refusing {
    pub(crate) port: u16,
    _held: Socket,
}

impl Refusing {
    pub(crate) fn new() -> Self {
        let held = everywhere();
        Self { port: port_of(&held), _held: held }
    }
}

/// A socket at some port of every loopback address, out of reach from anywhere else.
fn everywhere() -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind_device(Some(b"lo")).unwrap();
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0).into()).unwrap();
    socket
}

fn port_of(socket: &Socket) -> u16 {
    socket.local_addr().unwrap().as_socket().unwrap().port()
}
