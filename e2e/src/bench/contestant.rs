//! Who is measured, and the stand on which they all are: one service behind them, a user service for the tokens.

use std::net::SocketAddr;

use clap::ValueEnum;

use super::proxy::{Proxy, Site};
use super::shape::Shape;
use super::{AnyError, proxy, upstream};
use crate::bed::{Block, Folder, GATEWAY_YAML, take_ports};
use crate::fleet::Fleet;
use crate::role::Role;
use crate::shop::Shop;

/// Who can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// The gateway, asked in REST.
    Gateway,
    /// The same process, asked in gRPC.
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
    pub(super) const ALL: [Self; 4] = [Self::Gateway, Self::GatewayGrpc, Self::Envoy, Self::Nginx];

    /// How the table calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway, REST",
            Self::GatewayGrpc => "gateway, gRPC",
            Self::Envoy => "Envoy, REST",
            Self::Nginx => "nginx, gRPC",
        }
    }

    /// What it does for a request, and what it leaves out.
    pub(super) fn does(self) -> &'static str {
        match self {
            Self::Gateway => {
                "transcodes, checks access (and the token, where one is needed), sets identity and request id, logs JSON"
            }
            Self::GatewayGrpc => {
                "the same process and configuration, but message bytes pass as they are"
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
            Self::Gateway | Self::Envoy => Dialect::Rest,
            Self::GatewayGrpc | Self::Nginx => Dialect::Grpc,
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
    _fleet: Fleet,
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

        let (mut contestants, mut proxies) = (Vec::new(), Vec::new());
        let mut versions = vec![format!("gateway {}", env!("CARGO_PKG_VERSION"))];
        for kind in kinds.iter().copied() {
            let (address, process) = match kind {
                Kind::Gateway | Kind::GatewayGrpc => {
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
            _fleet: fleet,
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
        for entry in std::fs::read_dir(self.log_folder()).into_iter().flatten().flatten() {
            if let Ok(file) = std::fs::File::options().write(true).open(entry.path()) {
                // A log that stays long measures the same.
                let _ = file.set_len(0);
            }
        }
    }

    fn log_folder(&self) -> std::path::PathBuf {
        self.folder.path().join("log")
    }
}
