//! The parts of the shop: their names, where they listen and how each is started.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;

/// A part of the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Accounts and tokens.
    User,
    /// The catalogue and its stock.
    Product,
    /// A second process of the product service on the same database: what there is to balance between.
    Product2,
    /// A third one, for those who want to lose one of three: only beds that ask for it have it.
    Product3,
    /// Payments.
    Payment,
    /// Orders.
    Order,
    /// The door.
    Gateway,
}

impl Role {
    /// Every part of the shop, in the order in which the shop starts; it stops the other way round.
    pub const ALL: [Self; 6] =
        [Self::User, Self::Product, Self::Product2, Self::Payment, Self::Order, Self::Gateway];

    /// The services: every part behind the door.
    pub const SERVICES: [Self; 5] =
        [Self::User, Self::Product, Self::Product2, Self::Payment, Self::Order];

    /// The product services of a bed that has three of them.
    pub const PRODUCTS: [Self; 3] = [Self::Product, Self::Product2, Self::Product3];

    /// The name of this part in messages and file names.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Product => "product",
            Self::Product2 => "product-2",
            Self::Product3 => "product-3",
            Self::Payment => "payment",
            Self::Order => "order",
            Self::Gateway => "gateway",
        }
    }

    /// The name that `demo part` knows the program by.
    fn program(self) -> &'static str {
        if Self::PRODUCTS.contains(&self) { "product" } else { self.name() }
    }

    /// The port that the shop uses when nobody asks for another.
    pub fn usual_port(self) -> u16 {
        match self {
            Self::User => 50051,
            Self::Product => 50052,
            Self::Product2 => 50062,
            Self::Product3 => 50072,
            Self::Order => 50053,
            Self::Payment => 50054,
            Self::Gateway => 8080,
        }
    }

    /// The environment variable by which one chooses the port of this part.
    pub fn port_variable(self) -> &'static str {
        match self {
            Self::User => "USER_PORT",
            Self::Product => "PRODUCT_PORT",
            Self::Product2 => "PRODUCT_2_PORT",
            Self::Product3 => "PRODUCT_3_PORT",
            Self::Order => "ORDER_PORT",
            Self::Payment => "PAYMENT_PORT",
            Self::Gateway => "GATEWAY_PORT",
        }
    }

    /// The environment variable by which `gateway.yaml` learns where a service is; none for the gateway itself.
    fn address_variable(self) -> Option<&'static str> {
        match self {
            Self::User => Some("USER_ADDR"),
            Self::Product => Some("PRODUCT_ADDR"),
            Self::Product2 => Some("PRODUCT_2_ADDR"),
            Self::Product3 => Some("PRODUCT_3_ADDR"),
            Self::Order => Some("ORDER_ADDR"),
            Self::Payment => Some("PAYMENT_ADDR"),
            Self::Gateway => None,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where each part of a shop listens, always on the loopback interface.
#[derive(Clone, Debug)]
pub struct Ports {
    parts: BTreeMap<Role, u16>,
    /// Where operators come in.
    pub console: u16,
}

/// The port of the gateway's admin listener when nobody asks for another.
pub const USUAL_CONSOLE: u16 = 9900;

/// The environment variable by which one chooses it.
pub const CONSOLE_VARIABLE: &str = "CONSOLE_PORT";

impl Ports {
    /// The ports of the documentation: 8080, 9900 and 50051 to 50054, 50062.
    pub fn usual() -> Self {
        Self {
            parts: Role::ALL.map(|role| (role, role.usual_port())).into(),
            console: USUAL_CONSOLE,
        }
    }

    /// One port for each part in the order of [`Role::ALL`], one for a third product service, and the last for operators.
    pub fn of(ports: [u16; 8]) -> Self {
        let [.., third, console] = ports;
        let parts = Role::ALL.into_iter().zip(ports).chain([(Role::Product3, third)]);
        Self { parts: parts.collect(), console }
    }

    /// Puts a part elsewhere.
    #[must_use]
    pub fn with(mut self, role: Role, port: u16) -> Self {
        self.parts.insert(role, port);
        self
    }

    /// The port of a part.
    pub fn port(&self, role: Role) -> u16 {
        self.parts.get(&role).copied().unwrap_or(role.usual_port())
    }

    /// Every port with the environment variable by which it is chosen.
    pub fn variables(&self) -> Vec<(&'static str, u16)> {
        let parts = Role::ALL.map(|role| (role.port_variable(), self.port(role)));
        parts.into_iter().chain([(CONSOLE_VARIABLE, self.console)]).collect()
    }

    /// The address of a part, as in `127.0.0.1:50051`.
    pub fn address(&self, role: Role) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port(role)).into()
    }

    /// Where the gateway answers clients: `http://127.0.0.1:8080`.
    pub fn base(&self) -> String {
        format!("http://{}", self.address(Role::Gateway))
    }

    /// Where the gateway answers operators: `http://127.0.0.1:9900`.
    pub fn console_base(&self) -> String {
        format!("http://{}:{}", Ipv4Addr::LOCALHOST, self.console)
    }

    /// The command line of `demo` that runs a part with its data in `folder`; the gateway with the configuration `config`.
    pub fn arguments(&self, role: Role, folder: &Path, config: &Path) -> Vec<OsString> {
        let mut line: Vec<OsString> = vec!["part".into(), "--leash".into(), role.program().into()];
        let mut add = |name: &str, value: OsString| line.extend([name.into(), value]);
        if role == Role::Gateway {
            add("--config", config.into());
            return line;
        }
        add("--address", self.address(role).to_string().into());
        add("--database", folder.join(format!("{}.db", role.program())).into());
        if role == Role::Order {
            let products = [Role::Product, Role::Product2]
                .map(|role| format!("http://{}", self.address(role)));
            add("--product", products.join(",").into());
            add("--payment", format!("http://{}", self.address(Role::Payment)).into());
        }
        line
    }

    /// What `gateway.yaml` takes from the environment, with the schema at `schema`.
    pub fn environment(&self, schema: &Path) -> Vec<(&'static str, OsString)> {
        let mut variables = vec![
            (Role::Gateway.port_variable(), self.port(Role::Gateway).to_string().into()),
            (CONSOLE_VARIABLE, self.console.to_string().into()),
            ("SCHEMA", schema.into()),
        ];
        for role in self.parts.keys() {
            variables.extend(
                role.address_variable().map(|name| (name, self.address(*role).to_string().into())),
            );
        }
        variables
    }
}

/// Becomes a part: calls the `main` of the library named by the first of `words` with the rest of them.
///
/// `None` when no part has that name.
pub fn become_part(words: Vec<OsString>) -> Option<ExitCode> {
    let name = words.first()?.to_str()?;
    match name {
        "gateway" => Some(gateway::main(words)),
        "user" => Some(user::main(words)),
        "product" => Some(product::main(words)),
        "order" => Some(order::main(words)),
        "payment" => Some(payment::main(words)),
        _ => None,
    }
}
