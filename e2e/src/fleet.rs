//! All parts of one shop, started and stopped together.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use crate::part::{Part, Recipe};
use crate::ready::{self, NotReady};
use crate::role::{Ports, Role};

/// How long a part may take to become ready: much, because a machine that builds at the same time is slow.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a part may take to finish what it has begun before it is killed.
const DRAIN: Duration = Duration::from_secs(25);

/// The parts of a shop, running or not.
#[derive(Debug)]
pub struct Fleet {
    parts: BTreeMap<Role, Part>,
    ports: Ports,
}

impl Fleet {
    /// Parts that are `program` in its several roles, with data and logs in `folder`. None runs yet.
    pub fn new(program: &Path, ports: Ports, folder: &Path, config: &Path) -> Self {
        let recipe = |role: Role| Recipe {
            name: role.name(),
            program: program.to_owned(),
            arguments: ports.arguments(role, folder, config),
            environment: ports.environment(&folder.join("shop.binpb")),
            log: folder.join("log").join(format!("{role}.log")),
        };
        let roles = Role::ALL.into_iter().chain([Role::Product3]);
        let parts = roles.map(|role| (role, Part::new(recipe(role)))).collect();
        Self { parts, ports }
    }

    /// Adds a word to the command line of a part.
    pub fn add_argument(&mut self, role: Role, word: OsString) {
        if let Some(part) = self.parts.get_mut(&role) {
            part.add_argument(word);
        }
    }

    /// Gives a part a variable of the environment.
    pub fn add_variable(&mut self, role: Role, name: &'static str, value: OsString) {
        if let Some(part) = self.parts.get_mut(&role) {
            part.add_variable(name, value);
        }
    }

    /// Lets one address sign in as often as tests and lessons do, which are many people in one place.
    pub fn let_many_sign_in(&mut self) {
        for (name, value) in [("LOGIN_RATE", "6000/1m"), ("LOGIN_BURST", "1000")] {
            self.add_variable(Role::Gateway, name, value.into());
        }
    }

    /// Where everything listens.
    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    /// One part.
    pub fn part(&self, role: Role) -> &Part {
        match self.parts.get(&role) {
            Some(part) => part,
            None => panic!("a fleet has every part, but not {role}"),
        }
    }

    /// Starts parts at once and waits until all of them are ready.
    pub async fn start(&self, roles: &[Role]) -> Result<(), NotReady> {
        for role in roles {
            let part = self.part(*role);
            part.start().map_err(|source| NotReady::NotStarted { part: part.name(), source })?;
        }
        for role in roles {
            ready::wait(self.part(*role), *role, &self.ports, PATIENCE).await?;
        }
        Ok(())
    }

    /// Stops every part, the door first and then what stands behind it, each after it has finished what it was doing.
    pub async fn stop(&self) {
        for part in self.parts.values().rev() {
            part.stop(DRAIN).await;
        }
    }

    /// The first part that ended by itself, if there is one.
    pub fn ended(&self) -> Option<(&Part, std::process::ExitStatus)> {
        self.parts.values().find_map(|part| Some((part, part.ended()?)))
    }
}
