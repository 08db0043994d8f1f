//! Values that are looked for wherever somebody could read them.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use futures::StreamExt as _;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::Path,
    time::Duration,
};
use tokio_tungstenite::{connect_async, tungstenite::Message};

/// A value that is looked for, and the part of it that no writing changes.
#[derive(Clone)]
pub struct Canary {
    pub name: String,
    pub value: String,
    core: String,
}

/// Letters and digits without a meaning, another each time.
fn core() -> String {
    let mut bytes = [0; 10];
    getrandom::fill(&mut bytes).unwrap();
    let letters = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    bytes.iter().map(|byte| char::from(letters[usize::from(*byte) % letters.len()])).collect()
}

pub fn canary(number: usize) -> Canary {
    let core = core();
    let value = match number % 8 {
        0 => core[..8].to_owned(),
        1 => format!("it's \"{core}\" and `{core}`"),
        2 => format!("first-{core}\nsecond-{core}\n\nlast-line-{core}"),
        3 => format!("{{\"password\": \"{core}\", \"n\": [1, 2]}}"),
        4 => STANDARD_NO_PAD.encode(&core) + "==" + &core,
        5 => format!("ü{core}ß→{core}🦀"),
        6 => format!("\\{core}\\n %41{core}%20$HOME ${{X}} & <{core}>"),
        _ => format!("-----BEGIN KEY-----\n{}\n-----END KEY-----\n", format!("{core}/{core}+\n").repeat(60)),
    };
    let core = if number.is_multiple_of(8) { value.clone() } else { core };
    Canary { name: format!("canary-{number}"), value, core }
}

impl Canary {
    /// In what it may be hidden.
    fn traces(&self) -> Vec<Vec<u8>> {
        let hex = hex(&self.core);
        let mut traces = vec![self.core.clone(), hex.to_uppercase(), hex];
        // Wherever it stands in what is encoded; the ends depend on its neighbours.
        for before in 0..3 {
            let encoded = STANDARD_NO_PAD.encode(" ".repeat(before) + &self.core);
            let begin = (before * 8).div_ceil(6);
            let end = (before + self.core.len()) * 8 / 6;
            traces.push(encoded[begin..end].to_owned());
        }
        traces.into_iter().map(String::into_bytes).collect()
    }
}

/// Which of them are in what somebody could read.
pub fn found(canaries: &[Canary], bytes: &[u8]) -> BTreeSet<String> {
    const BEGINNING: usize = 8;
    let mut traces: HashMap<Vec<u8>, Vec<(&str, Vec<u8>)>> = HashMap::new();
    for one in canaries {
        for trace in one.traces() {
            traces.entry(trace[..BEGINNING].to_vec()).or_default().push((&one.name, trace));
        }
    }
    let mut names = BTreeSet::new();
    for (at, window) in bytes.windows(BEGINNING).enumerate() {
        for (name, trace) in traces.get(window).into_iter().flatten() {
            if bytes[at..].starts_with(trace) {
                names.insert((*name).to_owned());
            }
        }
    }
    names
}

/// Everything that was read, by where.
#[derive(Default)]
pub struct Seen(pub BTreeMap<String, Vec<u8>>);

impl Seen {
    pub fn add(&mut self, place: impl Into<String>, bytes: impl AsRef<[u8]>) {
        self.0.entry(place.into()).or_default().extend_from_slice(bytes.as_ref());
    }

    /// All files below a folder but those.
    pub fn add_files(&mut self, folder: &Path, but: &[&str]) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                self.add_files(&path, but);
            } else if path.is_file() && !but.contains(&name.as_str()) {
                self.add(path.display().to_string(), fs::read(&path).unwrap());
            }
        }
    }

    /// So many bytes were read of the places whose names have this in them.
    pub fn size(&self, place: &str) -> usize {
        self.0.iter().filter(|(name, _)| name.contains(place)).map(|(_, bytes)| bytes.len()).sum()
    }

    pub fn is_clean(&self, canaries: &[Canary]) {
        let leaks: Vec<String> = self
            .0
            .iter()
            .map(|(place, bytes)| (place, found(canaries, bytes)))
            .filter(|(_, found)| !found.is_empty())
            .map(|(place, found)| format!("{place}: {}", found.into_iter().collect::<Vec<_>>().join(", ")))
            .collect();
        assert!(leaks.is_empty(), "secrets are in\n{}", leaks.join("\n"));
    }
}

/// Everything that a stream says until it has told of this event.
pub async fn streamed(mut request: reqwest::RequestBuilder, last: u64) -> String {
    request = request.header("accept", "text/event-stream");
    let mut answer = request.send().await.unwrap().error_for_status().unwrap();
    let mut text = String::new();
    while !text.contains(&format!("id: {last}\n")) {
        let piece = tokio::time::timeout(Duration::from_secs(20), answer.chunk()).await.unwrap();
        text += std::str::from_utf8(&piece.unwrap().unwrap()).unwrap();
    }
    text
}

/// The same of a WebSocket.
pub async fn socketed(url: &str, last: u64) -> String {
    let (mut socket, _) = connect_async(url.replacen("http", "ws", 1)).await.unwrap();
    let mut text = String::new();
    while !text.contains(&format!("\"seq\":{last},")) {
        let frame = tokio::time::timeout(Duration::from_secs(20), socket.next()).await.unwrap();
        if let Message::Text(frame) = frame.unwrap().unwrap() {
            text += &frame;
        }
    }
    text
}

pub fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}
