//! A shop of its own for a test: real processes, free ports, an empty folder.
//!
//! A bed decides where the parts listen and what they are given. It never shares anything with another bed, so tests
//! can kill, freeze and restart its parts while others run.

mod block;
mod faults;
mod folder;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::fleet::Fleet;
use crate::part::Part;
use crate::role::{Ports, Role};
use crate::shop::Shop;
use crate::wait::eventually;

pub use block::{Block, take as take_ports};
pub(crate) use folder::Folder;

/// The configuration of the gateway as the repository has it.
pub const GATEWAY_YAML: &str = include_str!("../../../gateway/gateway.yaml");

/// How long a line may take to reach a log.
const LOG_PATIENCE: Duration = Duration::from_secs(5);

/// What a bed is made of, before it is started.
#[derive(Debug)]
pub struct Setup {
    program: PathBuf,
    absent: Vec<Role>,
    config: String,
    schema: Vec<u8>,
    extra: Vec<(Role, OsString)>,
    limited: bool,
    three: bool,
}

impl Setup {
    /// The whole shop, with `program` (the `demo` binary) as every part of it.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            absent: Vec::new(),
            config: GATEWAY_YAML.to_owned(),
            schema: proto::DESCRIPTORS.to_vec(),
            extra: Vec::new(),
            limited: false,
            three: false,
        }
    }

    /// Keeps the limit by principal that the shop has. Without this a test may ask as often as it likes.
    #[must_use]
    pub fn limited(mut self) -> Self {
        self.limited = true;
        self
    }

    /// Leaves a part out; [`Bed::start`] may start it later.
    #[must_use]
    pub fn without(mut self, role: Role) -> Self {
        self.absent.push(role);
        self
    }

    /// Leaves all parts out.
    #[must_use]
    pub fn empty(mut self) -> Self {
        self.absent.extend(Role::ALL);
        self
    }

    /// Only the door and three product services, which can be made to fail: enough to lose one and look on.
    #[must_use]
    pub fn three_products(mut self) -> Self {
        self.absent.extend([Role::User, Role::Payment, Role::Order]);
        self.three = true;
        for role in Role::PRODUCTS {
            self = self.argument(role, &["--faults"]);
        }
        let second = "      - \"http://${PRODUCT_2_ADDR:-127.0.0.1:50062}\"\n";
        self.config(second, &format!("{second}      - \"http://${{PRODUCT_3_ADDR}}\"\n"))
    }

    /// Gives a part more words on its command line.
    #[must_use]
    pub fn argument(mut self, role: Role, words: &[&str]) -> Self {
        self.extra.extend(words.iter().map(|word| (role, OsString::from(word))));
        self
    }

    /// Changes the text of `gateway.yaml`. Panics when `old` is not in it, so that no variant silently is the original.
    #[must_use]
    pub fn config(mut self, old: &str, new: &str) -> Self {
        assert!(self.config.contains(old), "gateway.yaml has no {old:?} to replace");
        self.config = self.config.replace(old, new);
        self
    }

    /// Gives the gateway other descriptors: an encoded `google.protobuf.FileDescriptorSet`.
    #[must_use]
    pub fn schema(mut self, descriptors: Vec<u8>) -> Self {
        self.schema = descriptors;
        self
    }

    /// Starts it and waits until every part that is there is ready. Panics with the reason when one is not.
    pub async fn start(self) -> Bed {
        let (block, ports) = take_ports();
        let folder = Folder::new();
        make_folder(&folder.path().join("log"));
        write(&folder.path().join("gateway.yaml"), self.config.as_bytes());
        write(&folder.path().join("shop.binpb"), &self.schema);
        let mut fleet =
            Fleet::new(&self.program, ports, folder.path(), &folder.path().join("gateway.yaml"));
        for (role, word) in self.extra {
            fleet.add_argument(role, word);
        }
        fleet.let_many_sign_in();
        if !self.limited {
            for (name, value) in [("PRINCIPAL_RATE", "1000000/1s"), ("PRINCIPAL_BURST", "1000000")]
            {
                fleet.add_variable(Role::Gateway, name, value.into());
            }
        }
        let bed = Bed { fleet, folder, _block: block };

        let wanted = |role: &Role| !self.absent.contains(role);
        let third = Some(Role::Product3).filter(|_| self.three);
        let services: Vec<Role> = Role::SERVICES.into_iter().chain(third).filter(wanted).collect();
        bed.start_all(&services).await;
        if wanted(&Role::Gateway) {
            bed.start(Role::Gateway).await;
        }
        bed
    }
}

/// A shop that runs. Dropping it ends every part and removes its files; after a failed test the files stay.
#[derive(Debug)]
pub struct Bed {
    // The order of the fields is the order of their ends: processes first.
    fleet: Fleet,
    folder: Folder,
    _block: Block,
}

impl Bed {
    /// The client's view of it.
    pub fn shop(&self) -> Shop {
        Shop::at(&self.ports().base())
    }

    /// Where everything listens.
    pub fn ports(&self) -> &Ports {
        self.fleet.ports()
    }

    /// Where its files are: `gateway.yaml`, `shop.binpb`, `user.db`, `log/order.log`, ….
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A part, to be frozen, killed or read.
    pub fn part(&self, role: Role) -> &Part {
        self.fleet.part(role)
    }

    /// Starts a part, or starts it again, and waits until it is ready.
    pub async fn start(&self, role: Role) {
        self.start_all(&[role]).await;
    }

    /// Starts several parts at once and waits until all are ready.
    pub async fn start_all(&self, roles: &[Role]) {
        if let Err(error) = self.fleet.start(roles).await {
            panic!("{error}");
        }
    }

    /// The one line of the access log about a request. Panics when there is none or more than one.
    pub async fn access_line(&self, request_id: &str) -> Value {
        let log = self.part(Role::Gateway).log();
        let about = |record: &Value| {
            record["request_id"] == request_id && record.get("duration_us").is_some()
        };
        let find = || log.records().into_iter().filter(about).collect::<Vec<_>>();
        let what = format!("an access line about request {request_id}");
        let mut lines = eventually(&what, LOG_PATIENCE, async || {
            Some(find()).filter(|found| !found.is_empty())
        })
        .await;
        assert_eq!(lines.len(), 1, "one request is one access line: {lines:#?}");
        lines.swap_remove(0)
    }

    /// What the services wrote about the calls of a request, as (part, log line). Waits for the first of them.
    pub async fn service_lines(&self, request_id: &str) -> Vec<(Role, Value)> {
        let what = format!("a service's line about request {request_id}");
        let found =
            async || Some(self.service_lines_now(request_id)).filter(|found| !found.is_empty());
        eventually(&what, LOG_PATIENCE, found).await
    }

    /// What the services have written so far about the calls of a request.
    pub fn service_lines_now(&self, request_id: &str) -> Vec<(Role, Value)> {
        let about = |record: &Value| record["request_id"] == request_id;
        let of = |role: Role| {
            self.part(role).log().records().into_iter().filter(about).map(move |line| (role, line))
        };
        Role::SERVICES.into_iter().chain([Role::Product3]).flat_map(of).collect()
    }
}

fn make_folder(path: &Path) {
    if let Err(error) = std::fs::create_dir(path) {
        panic!("can't make {}: {error}", path.display());
    }
}

fn write(path: &Path, bytes: &[u8]) {
    if let Err(error) = std::fs::write(path, bytes) {
        panic!("can't write {}: {error}", path.display());
    }
}
