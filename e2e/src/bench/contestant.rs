//! Who is measured, and the stand on which they all are: one service behind them, a user service for the tokens.

use std::net::SocketAddr;
use std::path::Path;

use clap::ValueEnum;
use http::{HeaderName, header};

use super::proxy::{Proxy, Site};
use super::shape::Shape;
use super::{AnyError, open, proxy, upstream};
use crate::bed::{Block, Folder, GATEWAY_YAML, take_ports};
use crate::fleet::Fleet;
use crate::role::{Ports, Role};
use crate::shop::Shop;

/// The folder of the open gateway.
const OPEN: &str = "open";

/// Who can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// The gateway, asked in REST.
    Gateway,
    /// The gateway with everything public and no limits, asked in REST.
    GatewayOpen,
    /// The first one's process, asked in gRPC.
    GatewayGrpc,
    /// Envoy with its transcoder, asked in REST.
    Envoy,
    /// nginx, asked in gRPC.
    Nginx,
}

/// What a client says to a contestant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// JSON over HTTP/1.1.
    Rest,
    /// gRPC over HTTP/2 without TLS.
    Grpc,
}

impl Kind {
    /// Everybody, in the order of the table.
    pub(super) const ALL: [Self; 5] =
        [Self::Gateway, Self::GatewayOpen, Self::GatewayGrpc, Self::Envoy, Self::Nginx];

    /// How the table calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway, REST",
            Self::GatewayOpen => "gateway, open",
            Self::GatewayGrpc => "gateway, gRPC",
            Self::Envoy => "Envoy, REST",
            Self::Nginx => "nginx, gRPC",
        }
    }

    /// What it does for a request, and what it leaves out.
    pub(super) fn does(self) -> &'static str {
        match self {
            Self::Gateway => {
                "REST; checks limits, token and access, transcodes, sets identity and request id, logs JSON"
            }
            Self::GatewayOpen => "REST; the same without limits, token and rules",
            Self::GatewayGrpc => {
                "the first one's process and configuration, but message bytes pass as they are"
            }
            Self::Envoy => {
                "grpc_json_transcoder and an access log; looks at no token, decides no access"
            }
            Self::Nginx => {
                "grpc_pass and an access log: forwards gRPC; no JSON, looks at no token, decides no access"
            }
        }
    }

    pub(super) fn dialect(self) -> Dialect {
        match self {
            Self::Gateway | Self::GatewayOpen | Self::Envoy => Dialect::Rest,
            Self::GatewayGrpc | Self::Nginx => Dialect::Grpc,
        }
    }

    /// Where its requests carry the token. All have the same bytes to receive; the one that is to be spared the look at
    /// them has them in a header that means nothing, with a name of the same length.
    pub(super) fn token_header(self) -> HeaderName {
        match self {
            Self::GatewayOpen => HeaderName::from_static("x-other-token"),
            _ => header::AUTHORIZATION,
        }
    }
}

/// Somebody who is up and can be asked.
#[derive(Clone, Debug)]
pub(super) struct Contestant {
    /// Who it is.
    pub(super) kind: Kind,
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// Its process; workers are its children.
    pub(super) process: u32,
}

/// Everything that runs for a measurement. Dropping it ends it all and removes its files.
pub(super) struct Stand {
    contestants: Vec<Contestant>,
    token: String,
    versions: Vec<String>,
    // The order of the fields is the order of their ends: processes first.
    _proxies: Vec<Proxy>,
    _fleets: [Fleet; 2],
    folder: Folder,
    _blocks: [Block; 2],
}

impl Stand {
    /// Starts the service, and before it everybody of `kinds`, each as its users run it.
    pub(super) async fn build(kinds: &[Kind]) -> Result<Self, AnyError> {
        let (block, ports) = take_ports();
        // The doors that are not ours have a block of their own.
        let (other_block, other_ports) = take_ports();
        let folder = Folder::new();
        let log = folder.path().join("log");
        std::fs::create_dir(&log)?;
        let schema = folder.path().join("shop.binpb");
        std::fs::write(&schema, proto::DESCRIPTORS)?;
        let config = folder.path().join("gateway.yaml");
        std::fs::write(&config, GATEWAY_YAML)?;

        let services = [Role::Product, Role::Product2, Role::Order].map(|role| ports.address(role));
        upstream::serve(&services, &Shape::all()?).await?;
        let mut fleet = Fleet::new(&std::env::current_exe()?, ports, folder.path(), &config);
        // What is measured is what a limit costs, not what it refuses.
        for (name, value) in [("PRINCIPAL_RATE", "1000000/1s"), ("PRINCIPAL_BURST", "100000000")] {
            fleet.add_variable(Role::Gateway, name, value.into());
        }
        fleet.start(&[Role::User]).await?;
        fleet.start(&[Role::Gateway]).await?;
        let token = Shop::at(&fleet.ports().base()).login("ada@example.com").await;

        let open = open(folder.path(), fleet.ports(), &other_ports)?;
        if kinds.contains(&Kind::GatewayOpen) {
            open.start(&[Role::Gateway]).await?;
        }

        let (mut contestants, mut proxies) = (Vec::new(), Vec::new());
        let mut versions = vec![format!("gateway {}", env!("CARGO_PKG_VERSION"))];
        for kind in kinds.iter().copied() {
            let (address, process) = match kind {
                Kind::Gateway | Kind::GatewayOpen | Kind::GatewayGrpc => {
                    let fleet = if kind == Kind::GatewayOpen { &open } else { &fleet };
                    let process = fleet.part(Role::Gateway).process();
                    (fleet.ports().address(Role::Gateway), process.ok_or("the gateway has ended")?)
                }
                Kind::Envoy | Kind::Nginx => {
                    let door = if kind == Kind::Envoy { Role::User } else { Role::Gateway };
                    let site = Site {
                        address: other_ports.address(door),
                        product: fleet.ports().address(Role::Product),
                        order: fleet.ports().address(Role::Order),
                        schema: &schema,
                        folder: folder.path(),
                    };
                    let proxy = match kind {
                        Kind::Envoy => proxy::envoy(&site).await?,
                        _ => proxy::nginx(&site).await?,
                    };
                    let known = (site.address, proxy.process());
                    versions.push(proxy.version().to_owned());
                    proxies.push(proxy);
                    known
                }
            };
            contestants.push(Contestant { kind, address, process });
        }
        Ok(Self {
            contestants,
            token,
            versions,
            _proxies: proxies,
            _fleets: [fleet, open],
            folder,
            _blocks: [block, other_block],
        })
    }

    /// Everybody who is up.
    pub(super) fn contestants(&self) -> &[Contestant] {
        &self.contestants
    }

    /// Ada's, good for fifteen minutes.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Which versions are up.
    pub(super) fn versions(&self) -> &[String] {
        &self.versions
    }

    /// Empties every log, because a request more is a line more and a disk has an end. They are open for appending.
    pub(super) fn forget_logs(&self) {
        let logs = [self.folder.path().join("log"), self.folder.path().join(OPEN).join("log")];
        let entries = logs.into_iter().filter_map(|folder| std::fs::read_dir(folder).ok());
        for entry in entries.flatten().flatten() {
            if let Ok(file) = std::fs::File::options().write(true).open(entry.path()) {
                // A log that stays long measures the same.
                let _ = file.set_len(0);
            }
        }
    }
}

/// The open gateway, in a folder of its own and before the same services. Its door is one that no proxy uses.
fn open(folder: &Path, services: &Ports, free: &Ports) -> Result<Fleet, AnyError> {
    let folder = folder.join(OPEN);
    std::fs::create_dir_all(folder.join("log"))?;
    std::fs::write(folder.join("shop.binpb"), proto::DESCRIPTORS)?;
    let config = folder.join("gateway.yaml");
    std::fs::write(&config, open::config()?)?;
    let mut ports = free.clone().with(Role::Gateway, free.port(Role::Payment));
    for role in [Role::User, Role::Product, Role::Product2, Role::Order] {
        ports = ports.with(role, services.port(role));
    }
    Ok(Fleet::new(&std::env::current_exe()?, ports, &folder, &config))
}
