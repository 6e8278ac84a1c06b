//! A name service over UDP (RFC 1035), as far as a gateway asks one.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// What is known of a name.
#[derive(Clone, Debug)]
pub(crate) enum Record {
    /// An address.
    A(Ipv4Addr),
    /// A server of a service: priority, weight, port and the name of its host.
    Srv(u16, u16, u16, &'static str),
}

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// With what it knows.
    Answering,
    /// That there is no such record.
    Empty,
    /// That it has failed (SERVFAIL).
    Failing,
    /// Not at all.
    Silent,
}

struct Zone {
    records: HashMap<&'static str, Vec<Record>>,
    ttl: u32,
    mood: Mood,
    asked: HashMap<String, usize>,
}

/// A name service that runs until it is dropped.
pub(crate) struct Names {
    address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    task: JoinHandle<()>,
}

impl Names {
    /// Whatever it says holds so many seconds.
    pub(crate) async fn with_ttl(ttl: u32) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let (records, asked) = (HashMap::new(), HashMap::new());
        let zone = Arc::new(Mutex::new(Zone { records, ttl, mood: Mood::Answering, asked }));
        let task = tokio::spawn(serve(socket, Arc::clone(&zone)));
        Self { address, zone, task }
    }

    /// Where it is asked.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Knows this of a name from now on, and nothing else.
    pub(crate) fn set(&self, name: &'static str, records: impl IntoIterator<Item = Record>) {
        self.zone.lock().unwrap().records.insert(name, records.into_iter().collect());
    }

    /// Answers like that from now on.
    pub(crate) fn be(&self, mood: Mood) {
        self.zone.lock().unwrap().mood = mood;
    }

    /// How often it was asked for the addresses of a name.
    pub(crate) fn asked(&self, name: &str) -> usize {
        self.zone.lock().unwrap().asked.get(name).copied().unwrap_or_default()
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(socket: UdpSocket, zone: Arc<Mutex<Zone>>) {
    let mut buffer = [0; 1500];
    while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
        let answer = answer(&buffer[..length], &mut zone.lock().unwrap());
        if let Some(answer) = answer {
            socket.send_to(&answer, client).await.unwrap();
        }
    }
}

const A: u16 = 1;
const SRV: u16 = 33;

/// One question is asked, and behind the head of twelve bytes come its name, its type and its class.
fn answer(asked: &[u8], zone: &mut Zone) -> Option<Vec<u8>> {
    let (head, rest) = asked.split_at(12);
    let end = rest.iter().position(|byte| *byte == 0)? + 1;
    let question = &rest[..end + 4];
    let kind = u16::from_be_bytes([rest[end], rest[end + 1]]);
    let name = text(&rest[..end]).to_lowercase();
    if kind == A || kind == SRV {
        *zone.asked.entry(name.clone()).or_default() += 1;
    }
    let known = zone.records.get(name.as_str()).cloned().unwrap_or_default();
    let fits =
        |record: &Record| matches!((record, kind), (Record::A(_), A) | (Record::Srv(..), SRV));
    let (records, code) = match zone.mood {
        Mood::Silent => return None,
        Mood::Failing => (Vec::new(), 2),
        Mood::Empty => (Vec::new(), 0),
        Mood::Answering if known.is_empty() => (Vec::new(), 3),
        Mood::Answering => (known.into_iter().filter(fits).collect(), 0),
    };
    let mut out = head[..2].to_vec();
    out.extend([0x81, 0x80 | code, 0, 1]);
    out.extend(u16::try_from(records.len()).unwrap().to_be_bytes());
    out.extend([0; 4]);
    out.extend(question);
    for record in records {
        let data = match record {
            Record::A(address) => address.octets().to_vec(),
            Record::Srv(priority, weight, port, host) => {
                let mut data: Vec<u8> = [priority, weight, port]
                    .iter()
                    .flat_map(|number| number.to_be_bytes())
                    .collect();
                data.extend(labels(host));
                data
            }
        };
        // The name of the question again, then type, class, time to live and length.
        out.extend([0xc0, 12]);
        out.extend(kind.to_be_bytes());
        out.extend([0, 1]);
        out.extend(zone.ttl.to_be_bytes());
        out.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        out.extend(data);
    }
    Some(out)
}

fn text(mut labels: &[u8]) -> String {
    let mut names = Vec::new();
    while let Some((&length, rest)) = labels.split_first().filter(|(length, _)| **length > 0) {
        let (label, rest) = rest.split_at(length.into());
        names.push(String::from_utf8_lossy(label).into_owned());
        labels = rest;
    }
    names.join(".")
}

fn labels(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.split('.') {
        out.push(u8::try_from(label.len()).unwrap());
        out.extend(label.as_bytes());
    }
    out.push(0);
    out
}
