//! Chromium through chromedriver: the few calls of WebDriver that the tests make.

use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::OnceLock,
    time::{Duration, Instant},
};
use tokio::process::{Child, Command};

/// A window; everything of it is gone with the value.
pub struct Browser {
    http: reqwest::Client,
    session: String,
    _driver: Child,
    _profile: tempfile::TempDir,
}

/// How wide and high a window is.
#[derive(Clone, Copy)]
pub struct Screen(pub u32, pub u32);

pub const DESK: Screen = Screen(1280, 900);
pub const PHONE: Screen = Screen(390, 844);

/// Keys, as WebDriver names them.
pub const TAB: char = '\u{E004}';
pub const ENTER: char = '\u{E007}';

impl Browser {
    pub async fn start() -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("chromedriver does not start ({error}): install chromium and chromium-driver")
            });
        graphium_server::tls::ready();
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(120)).build().unwrap();
        let base = format!("http://127.0.0.1:{port}");
        let begun = Instant::now();
        while http.get(format!("{base}/status")).send().await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(30), "chromedriver does not answer");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let profile = tempfile::tempdir().unwrap();
        let folder = format!("--user-data-dir={}", profile.path().display());
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--no-proxy-server",
            "--lang=en-GB",
            &folder,
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments},
            "timeouts": {"script": 120_000, "pageLoad": 60_000},
        }}});
        let answer: Value =
            http.post(format!("{base}/session")).json(&wanted).send().await.unwrap().json().await.unwrap();
        let id = answer["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("no browser: {answer}")).to_owned();
        let browser = Self { http, session: format!("{base}/session/{id}"), _driver: driver, _profile: profile };
        browser.look(DESK, "light").await;
        browser
    }

    async fn call(&self, path: &str, body: Value) -> Value {
        let mut answer: Value = self
            .http
            .post(format!("{}/{path}", self.session))
            .json(&body)
            .send()
            .await
            .unwrap_or_else(|error| panic!("{path}: {error}"))
            .json()
            .await
            .unwrap();
        assert!(answer["value"]["error"].is_null(), "{path}: {}", answer["value"]["message"]);
        answer["value"].take()
    }

    async fn devtools(&self, command: &str, params: Value) -> Value {
        self.call("goog/cdp/execute", json!({"cmd": command, "params": params})).await
    }

    /// The width of the window, and whether it is `light` or `dark`.
    pub async fn look(&self, Screen(width, height): Screen, scheme: &str) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        let features = json!({"features": [
            {"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}
        ]});
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    pub async fn open(&self, url: &str) {
        self.call("url", json!({"url": url})).await;
    }

    /// Logs in with a token.
    pub async fn enter(&self, url: &str, token: &str) {
        self.open(&format!("{url}/web/login")).await;
        self.click("summary").await;
        self.write("#token", token).await;
        self.click("form button.primary").await;
        self.until_there("#live").await;
    }

    /// What a function body returns.
    pub async fn run(&self, script: &str) -> Value {
        self.call("execute/sync", json!({"script": script, "args": []})).await
    }

    /// How long the page has kept a processor busy, wherever that was. What it shows and what a test asks of it count.
    pub async fn processor_time(&self) -> Duration {
        self.devtools("Performance.enable", json!({})).await;
        let told = self.devtools("Performance.getMetrics", json!({})).await;
        let metrics = told["metrics"].as_array().unwrap();
        let time = metrics.iter().find(|one| one["name"] == "ThreadTime").unwrap_or_else(|| panic!("no time: {told}"));
        Duration::from_secs_f64(time["value"].as_f64().unwrap())
    }

    pub async fn text(&self, selector: &str) -> String {
        let script = format!("return document.querySelector({})?.innerText ?? ''", json!(selector));
        self.run(&script).await.as_str().unwrap_or_default().to_owned()
    }

    pub async fn has(&self, selector: &str) -> bool {
        self.run(&format!("return document.querySelector({}) !== null", json!(selector))).await == true
    }

    pub async fn address(&self) -> String {
        self.run("return location.pathname + location.search").await.as_str().unwrap().to_owned()
    }

    /// A real click, where the element is.
    pub async fn click(&self, selector: &str) {
        let element = self.call("element", json!({"using": "css selector", "value": selector})).await;
        let id = element.as_object().unwrap().values().next().unwrap().as_str().unwrap();
        self.call(&format!("element/{id}/click"), json!({})).await;
    }

    /// Types into an element.
    pub async fn write(&self, selector: &str, text: &str) {
        let element = self.call("element", json!({"using": "css selector", "value": selector})).await;
        let id = element.as_object().unwrap().values().next().unwrap().as_str().unwrap();
        self.call(&format!("element/{id}/value"), json!({"text": text})).await;
    }

    /// Pastes a text in place of what is there.
    pub async fn paste(&self, selector: &str, text: &str) {
        let script = format!(
            "const field = document.querySelector({}); field.focus(); field.select(); \
             return document.execCommand('insertText', false, {})",
            json!(selector),
            json!(text)
        );
        assert_eq!(self.run(&script).await, true, "nothing was pasted into {selector}");
    }

    /// Presses a key, as somebody without a mouse does.
    pub async fn press(&self, key: char) {
        let actions = json!([{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]);
        self.call("actions", json!({"actions": [{"type": "key", "id": "keys", "actions": actions}]})).await;
    }

    /// Waits until a script returns true.
    pub async fn until(&self, what: &str, script: &str) {
        let begun = Instant::now();
        while self.run(script).await != true {
            if begun.elapsed() > Duration::from_secs(90) {
                let page = self.run("return document.body.innerText").await;
                panic!("a minute and a half is not enough until {what}; the page says: {page}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub async fn until_there(&self, selector: &str) {
        self.until(selector, &format!("return document.querySelector({}) !== null", json!(selector))).await;
    }

    /// Keeps what a page looks like, in every width and colour, and asks whether everybody can use it. The heading, without the
    /// state that may stand beside it, tells that it is the page that is meant: an error is easily used, too.
    pub async fn judge(&self, name: &str, heading: &str) {
        self.judge_on(name, heading, &[DESK, PHONE]).await;
    }

    pub async fn judge_on(&self, name: &str, heading: &str, screens: &[Screen]) {
        let script = "return [...document.querySelectorAll('h1')].map((one) => one.firstChild?.textContent.trim())";
        assert_eq!(self.run(script).await, json!([heading]), "{name} is another page");
        let mut violations = Vec::new();
        for scheme in ["light", "dark"] {
            for &screen in screens {
                self.look(screen, scheme).await;
                let wide = if screen.0 < 600 { "phone" } else { "desk" };
                let too_wide = self.run("return document.documentElement.scrollWidth - innerWidth").await;
                if too_wide.as_i64().unwrap() > 0 {
                    violations.push(format!("{name} on a {wide} is {too_wide} pixels wider than the screen"));
                }
                violations.extend(self.axe().await.into_iter().map(|said| format!("{name}, {wide}, {scheme}: {said}")));
                self.picture(&format!("{name}-{wide}-{scheme}"), screen).await;
            }
        }
        self.look(DESK, "light").await;
        assert!(violations.is_empty(), "{}", violations.join("\n"));
    }

    /// The page in its whole length.
    pub async fn picture(&self, name: &str, Screen(width, height): Screen) {
        let length = self.run("return document.documentElement.scrollHeight").await.as_u64().unwrap();
        // As if the screen were as long as the page, so that what stays in place on a screen covers nothing.
        let long = u32::try_from(length.clamp(height.into(), 4000)).unwrap();
        let metrics =
            |height: u32| json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.devtools("Emulation.setDeviceMetricsOverride", metrics(long)).await;
        let clip = json!({"x": 0, "y": 0, "width": width, "height": long, "scale": 1});
        let shot = self.devtools("Page.captureScreenshot", json!({"captureBeyondViewport": true, "clip": clip})).await;
        self.devtools("Emulation.setDeviceMetricsOverride", metrics(height)).await;
        let folder = pictures();
        std::fs::create_dir_all(&folder).unwrap();
        let bytes = decoded(shot["data"].as_str().unwrap());
        assert!(bytes.len() > 1000, "an empty picture of {name}");
        std::fs::write(folder.join(format!("{name}.png")), bytes).unwrap();
    }

    /// What is against the rules of accessibility.
    async fn axe(&self) -> Vec<String> {
        if self.run("return typeof window.axe").await != "object" {
            self.run(axe_source()).await;
        }
        let script = "const done = arguments[arguments.length - 1]; \
            axe.run(document, {resultTypes: ['violations']}).then( \
                (found) => done(found.violations.map((one) => one.id + ': ' + one.help + ': ' + \
                    one.nodes.slice(0, 3).map((node) => node.html + ' ' + node.any.map((any) => any.message).join()).join(' | '))), \
                (error) => done(['axe: ' + error]))";
        let found = self.call("execute/async", json!({"script": script, "args": []})).await;
        found.as_array().unwrap().iter().map(|said| said.as_str().unwrap().to_owned()).collect()
    }

    pub async fn end(self) {
        let _closed = self.http.delete(&self.session).send().await;
    }
}

/// Where pictures of pages are kept.
fn pictures() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("web")
}

/// Installed by the first test that asks; those that ask meanwhile wait for it.
fn axe_source() -> &'static str {
    static SOURCE: OnceLock<String> = OnceLock::new();
    SOURCE.get_or_init(|| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/web/install");
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let output = std::process::Command::new(script).env("CARGO_TARGET_DIR", target).output().unwrap();
        assert!(output.status.success(), "axe-core: {}", String::from_utf8_lossy(&output.stderr));
        std::fs::read_to_string(String::from_utf8(output.stdout).unwrap().trim()).unwrap()
    })
}

fn decoded(text: &str) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut count) = (0_u32, 0);
    for digit in text.bytes().filter_map(|byte| DIGITS.iter().position(|digit| *digit == byte)) {
        bits = (bits << 6) | u32::try_from(digit).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((bits >> count) & 0xff).unwrap());
        }
    }
    bytes
}
