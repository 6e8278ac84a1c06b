//! Asks the name service where endpoints are.
//!
//! Answers are not cached here: who asks knows how old its answer may be, and has the last good one.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{StreamExt as _, stream};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use tokio::time;

use super::address::Address;
use crate::context::BoxError;

/// How long one server of names is waited for, and everything together.
const WAIT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(4));

/// How many servers of a service are looked for at once.
const AT_ONCE: usize = 32;

/// Where the endpoints of an address are at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resolved {
    /// The endpoints, each with its weight.
    pub(super) endpoints: Vec<(SocketAddr, u32)>,
    /// How long that holds.
    pub(super) ttl: Duration,
}

/// Finds out where the endpoints of an address are.
pub(super) type Resolve =
    Arc<dyn Fn(Address) -> BoxFuture<'static, Result<Resolved, BoxError>> + Send + Sync>;

/// Asks that server, or those that the host asks. `/etc/hosts` comes first either way.
pub(super) fn resolver(server: Option<SocketAddr>) -> Resolve {
    Arc::new(move |address| {
        Box::pin(async move {
            let (one, all) = WAIT;
            let client = Client::new(server, one)?;
            time::timeout(all, resolve(&client, &address)).await?
        })
    })
}

/// Asks for addresses of both kinds, each by itself: of both at once an answer of one would hide the failure of the other.
struct Client {
    ipv4: TokioResolver,
    ipv6: TokioResolver,
}

impl Client {
    fn new(server: Option<SocketAddr>, wait: Duration) -> Result<Self, NetError> {
        let ipv4 = client(server, wait, LookupIpStrategy::Ipv4Only)?;
        Ok(Self { ipv4, ipv6: client(server, wait, LookupIpStrategy::Ipv6Only)? })
    }

    /// Every address of a name. That there are none of a kind is no failure, if there are of the other.
    async fn addresses(&self, name: &str) -> Result<(Vec<IpAddr>, Duration), NetError> {
        let (ipv4, ipv6) = tokio::join!(self.ipv4.lookup_ip(name), self.ipv6.lookup_ip(name));
        let (mut all, mut holds, mut none) = (Vec::new(), Duration::MAX, None);
        for found in [ipv4, ipv6] {
            match found {
                Ok(found) => {
                    holds = holds.min(ttl(found.as_lookup()));
                    all.extend(found.iter());
                }
                Err(error) if error.is_no_records_found() => none = Some(error),
                Err(error) => return Err(error),
            }
        }
        match none {
            Some(error) if all.is_empty() => Err(error),
            _ => Ok((all, holds)),
        }
    }
}

fn client(
    server: Option<SocketAddr>,
    wait: Duration,
    kind: LookupIpStrategy,
) -> Result<TokioResolver, NetError> {
    let mut builder = match server {
        None => TokioResolver::builder_tokio()?,
        Some(server) => {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
            let connections = connections.map(|mut connection| {
                connection.port = server.port();
                connection
            });
            let server = NameServerConfig::new(server.ip(), true, connections.into());
            let config = ResolverConfig::from_name_servers(vec![server]);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
    };
    let options = builder.options_mut();
    options.cache_size = 0;
    options.timeout = wait;
    options.attempts = 2;
    options.ip_strategy = kind;
    builder.build()
}

async fn resolve(client: &Client, address: &Address) -> Result<Resolved, BoxError> {
    match address {
        Address::Literal(address) => {
            Ok(Resolved { endpoints: vec![(*address, 1)], ttl: Duration::MAX })
        }
        Address::Host { name, port } => {
            host(client, name.clone(), *port, 1).await.map_err(Into::into)
        }
        Address::Service { name } => service(client, name).await,
    }
}

async fn host(client: &Client, name: String, port: u16, weight: u32) -> Result<Resolved, NetError> {
    let (found, ttl) = client.addresses(&name).await?;
    let endpoints = found.into_iter().map(|ip| (SocketAddr::new(ip, port), weight)).collect();
    Ok(Resolved { endpoints, ttl })
}

/// The servers of the lowest priority number (RFC 2782). A weight of zero is the smallest there is.
async fn service(client: &Client, name: &str) -> Result<Resolved, BoxError> {
    let found = client.ipv4.srv_lookup(name).await?;
    let servers = found.answers().iter().filter_map(|record| match &record.data {
        RData::SRV(server) => Some(server),
        _ => None,
    });
    let servers: Vec<_> = servers.collect();
    let first = servers.iter().map(|server| server.priority).min();
    let mut all = Resolved { endpoints: Vec::new(), ttl: ttl(&found) };
    // One that listens nowhere is not there.
    let here =
        servers.into_iter().filter(|server| Some(server.priority) == first && server.port > 0);
    let asked: Vec<_> = here
        .map(|server| {
            let weight = u32::from(server.weight).max(1);
            host(client, server.target.to_utf8(), server.port, weight)
        })
        .collect();
    let mut answers = stream::iter(asked).buffered(AT_ONCE);
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(found) => {
                all.endpoints.extend(found.endpoints);
                all.ttl = all.ttl.min(found.ttl);
            }
            // A server that is listed and has no address is gone. Anything else may be a lost packet.
            Err(error) if error.is_no_records_found() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(all)
}

/// How long all records of an answer hold.
fn ttl(found: &Lookup) -> Duration {
    let shortest = found.answers().iter().map(|record| record.ttl).min();
    Duration::from_secs(shortest.unwrap_or_default().into())
}
