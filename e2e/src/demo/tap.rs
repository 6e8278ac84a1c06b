//! A piece of wire with a length: counts what goes through it and takes its time.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

/// How many pieces may be on their way in one direction.
const IN_FLIGHT: usize = 1024;
const PIECE: usize = 16 * 1024;

/// A wire to a server, through which a client goes instead of going there directly.
#[derive(Debug)]
pub(super) struct Tap {
    address: SocketAddr,
    counts: Arc<Counts>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicU64,
    bytes: AtomicU64,
}

impl Tap {
    /// Lays a wire to `server` on which a round trip takes `round_trip` more.
    pub(super) async fn lay(server: SocketAddr, round_trip: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let counts = Arc::new(Counts::default());
        let counter = Arc::clone(&counts);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                counter.connections.fetch_add(1, Relaxed);
                tokio::spawn(relay(client, server, round_trip, Arc::clone(&counter)));
            }
        });
        Ok(Self { address, counts, task })
    }

    /// Where its near end is.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The connections that were opened.
    pub(super) fn connections(&self) -> u64 {
        self.counts.connections.load(Relaxed)
    }

    /// The bytes that went through, both ways together.
    pub(super) fn bytes(&self) -> u64 {
        self.counts.bytes.load(Relaxed)
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn relay(client: TcpStream, server: SocketAddr, round_trip: Duration, counts: Arc<Counts>) {
    // Opening a connection costs one round trip before anything can be said.
    sleep(round_trip).await;
    let Ok(server) = TcpStream::connect(server).await else { return };
    for stream in [&client, &server] {
        let _ = stream.set_nodelay(true);
    }
    let (client_in, client_out) = client.into_split();
    let (server_in, server_out) = server.into_split();
    let one_way = round_trip / 2;
    tokio::join!(
        carry(client_in, server_out, one_way, &counts),
        carry(server_in, client_out, one_way, &counts),
    );
}

/// Carries one direction. Reading goes on while earlier pieces are under way, as on a real line.
async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    one_way: Duration,
    counts: &Counts,
) {
    let (sender, mut receiver) = mpsc::channel::<(Instant, Bytes)>(IN_FLIGHT);
    let read = async move {
        let mut piece = vec![0; PIECE];
        while let Ok(length @ 1..) = from.read(&mut piece).await {
            let part = piece.get(..length).unwrap_or_default();
            counts.bytes.fetch_add(u64::try_from(length).unwrap_or_default(), Relaxed);
            if sender.send((Instant::now() + one_way, Bytes::copy_from_slice(part))).await.is_err()
            {
                return;
            }
        }
    };
    let write = async move {
        while let Some((due, piece)) = receiver.recv().await {
            sleep_until(due).await;
            if to.write_all(&piece).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(read, write);
}
