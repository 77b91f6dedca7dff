//! The Explorer in a real browser: the page loads, a path can be clicked, and its sequence diagram is there.
//!
//! It needs chromium and chromedriver, and says so and does nothing where they are missing.

#[path = "../examples/explore/checker.rs"]
mod checker;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use checker::{Explored, Graph};
use copool_spec::scene::{Stage, catalog};
use copool_spec::step;
use stateright::{Checker, Model};

/// A driver that ends with the test, however that ends.
struct Driver {
    process: Child,
    address: SocketAddr,
    session: String,
}

impl Drop for Driver {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let _ = exchange(self.address, "DELETE", &format!("/session/{}", self.session), "");
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Driver {
    /// A headless browser, if there is one.
    fn start() -> Option<Driver> {
        let mut command = Command::new("chromedriver");
        let mut process = command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        let output = BufReader::new(process.stdout.take()?);
        let said = output.lines().map_while(Result::ok).find(|line| line.contains("started successfully on port"))?;
        let port = said.rsplit(' ').next()?.trim_end_matches('.').parse().ok()?;
        let mut driver = Driver { process, address: ([127, 0, 0, 1], port).into(), session: String::new() };
        let options = r#""args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]"#;
        let wanted = format!(r#"{{"capabilities": {{"alwaysMatch": {{"goog:chromeOptions": {{{options}}}}}}}}}"#);
        let answer = exchange(driver.address, "POST", "/session", &wanted).ok()?;
        driver.session = answer.split_once(r#""sessionId":""#)?.1.split('"').next()?.to_owned();
        Some(driver)
    }

    fn go(&self, url: &str) -> String {
        self.post("url", &format!(r#"{{"url": "{url}"}}"#))
    }

    /// Waits, in the page, until an expression is truthy, and gives the answer, which has it as a string.
    fn wait(&self, expression: &str) -> String {
        let script = format!(
            "const done = arguments[0]; const end = Date.now() + 20000; const look = () => {{ \
             let found = null; try {{ found = {expression}; }} catch (e) {{}} \
             if (found || Date.now() > end) done(String(found)); else setTimeout(look, 20); }}; look();"
        );
        let script = script.replace('\\', "\\\\").replace('"', "\\\"");
        self.post("execute/async", &format!(r#"{{"script": "{script}", "args": []}}"#))
    }

    fn post(&self, what: &str, body: &str) -> String {
        let path = format!("/session/{}/{what}", self.session);
        exchange(self.address, "POST", &path, body).unwrap_or_else(|error| panic!("{what}: {error}"))
    }
}

/// One request, and the body of its answer.
fn exchange(address: SocketAddr, method: &str, path: &str, body: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut reader = BufReader::new(stream);
    let (mut length, mut line) = (0, String::new());
    while reader.read_line(&mut line)? > 2 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        line.clear();
    }
    let mut answer = vec![0; length];
    reader.read_exact(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Serves a small scene, for as long as the test's process lives.
fn serve() -> SocketAddr {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
    std::thread::spawn(move || {
        let scene = catalog::small().remove(0);
        Explored::new(Stage::new(scene), step, false).checker().serve(free).is_done()
    });
    let begun = Instant::now();
    while TcpStream::connect(free).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the Explorer does not come up");
        std::thread::yield_now();
    }
    free
}

#[test]
fn a_path_can_be_clicked_and_its_diagram_is_there() {
    let Some(driver) = Driver::start() else {
        println!("skipped: there is no chromium with its chromedriver here");
        return;
    };
    let address = serve();
    driver.go(&format!("http://{address}/"));
    let title = driver.wait("document.title");
    assert!(title.contains("Stateright Explorer"), "{title}");
    // The first click chooses the first state, each further one the first thing that may happen.
    for clicks in 1..=6 {
        let choice = "[...document.querySelectorAll('a')].filter(a => \
                      new RegExp('^#/steps(/[0-9]+){CLICKS}$').test(a.getAttribute('href') || ''))[0]";
        let choice = choice.replace("CLICKS", &clicks.to_string());
        let clicked =
            driver.wait(&format!("(() => {{ const a = {choice}; if (a) a.click(); return a && a.href; }})()"));
        assert!(clicked.contains("#/steps/"), "click {clicks}: {clicked}");
    }
    let drawn = driver.wait(
        "(() => { const s = document.querySelector('svg.sequence'); \
         return s && s.textContent.includes('schedule_called') && s.querySelectorAll('line').length > 5 && s.textContent; })()",
    );
    for part in ["CoroutinePool", "WorkerCoroutine", "pool_built", "seat_attached", "schedule_called"] {
        assert!(drawn.contains(part), "{part} is not in the diagram: {drawn}");
    }
}

#[test]
fn a_scene_that_is_only_shown_has_counted_nothing() {
    let shown = Explored::new(Stage::new(catalog::small().remove(0)), step, false);
    let (arrows, met) = (shown.arrows.load(Ordering::Relaxed), shown.witnessed.load(Ordering::Relaxed));
    assert_eq!((checker::arrows(arrows), shown.steps.load(Ordering::Relaxed)), (0, 0));
    let Graph { states, steps, stuck } = shown.graph();
    assert_eq!((states, steps, stuck), (1, 0, 1), "of the graph only the first state is known");
    assert_eq!(checker::unmet(met).len(), copool_spec::witness::ALL.len());
}
