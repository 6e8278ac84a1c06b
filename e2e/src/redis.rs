//! A Redis of one's own: a server of the system, on a port that nobody else has, with nothing on disk.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::bed::{Block, take_ports};
use crate::part::{Part, Recipe};
use crate::role::Role;
use crate::wait::until;

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct Redis {
    part: Part,
    address: SocketAddr,
    _block: Block,
}

impl Redis {
    /// Starts it with its log in `folder`, and waits until it answers.
    pub async fn start(folder: &Path) -> Result<Self, String> {
        let (block, ports) = take_ports();
        let address = ports.address(Role::Gateway);
        let port = address.port().to_string();
        let words = ["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no"];
        let part = Part::new(Recipe {
            name: "redis",
            program: "redis-server".into(),
            arguments: words.map(Into::into).into(),
            environment: Vec::new(),
            log: folder.join("redis.log"),
        });
        let redis = Self { part, address, _block: block };
        redis.restart().await?;
        Ok(redis)
    }

    /// Starts it again where it was, empty, and waits until it answers.
    pub async fn restart(&self) -> Result<(), String> {
        self.part.start().map_err(|error| {
            format!("redis-server can't be started ({error}): install it, as `make test` does")
        })?;
        let answers = until(PATIENCE, async || self.answers().await.ok().flatten()).await;
        answers.ok_or_else(|| format!("Redis does not answer: {}", self.part.log().end(5)))
    }

    /// Where it is, as a configuration spells it.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// The process, to be frozen and killed.
    pub fn part(&self) -> &Part {
        &self.part
    }

    async fn answers(&self) -> std::io::Result<Option<()>> {
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(b"PING\r\n").await?;
        let mut answer = [0; 7];
        stream.read_exact(&mut answer).await?;
        Ok((&answer == b"+PONG\r\n").then_some(()))
    }
}
