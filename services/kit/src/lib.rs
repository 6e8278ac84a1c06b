//! What two services of the shop both do, so that a service holds only its business.
//!
//! A service is a function from [`Boot`] to [`Site`]; [`main`] does the rest: command line, logs, port, signals,
//! health, reflection, drain.
//!
//! ```text
//! pub const ABOUT: About = About { name: "user", … };
//! pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode { service_kit::main(&ABOUT, arguments, start) }
//! pub async fn start(boot: Boot<Args>) -> Result<Site, BootError> {
//!     let store = Store::open(ABOUT.name, &boot.database, MIGRATIONS, &boot.clock).await?;
//!     Ok(Site::new().grpc(UserServiceServer::new(Users { store, clock: boot.clock })))
//! }
//! ```
//!
//! | module | what it decides |
//! |---|---|
//! | [`boot`] | command line, exit codes, logs, signals; [`serve`](boot::serve) and [`Running`] serve a [`Site`] on any listener, also in tests |
//! | [`caller`] | who calls, until when, with which key ([`Caller`]), and how that is passed on to the next service |
//! | [`store`] | one SQLite file shared by replicas: [`Store::read`], [`Store::write`] |
//! | [`idempotency`] | the same key gives the same answer: [`begin`](idempotency::begin), and [`Claim`](idempotency::Claim) from there |
//! | [`events`] | the `events` table and the streams that follow it |
//! | [`errors`] | [`Failure`], what a transaction fails with, and statuses with a reason |
//! | `faults` | failing on purpose, under `--faults` |
//! | [`violations`] | field violations, `INVALID_ARGUMENT` |
//! | [`mask`] | `update_mask` (AIP-134) |
//! | [`paging`] | `page_size` and `page_token` (AIP-158) |
//! | [`money`] | `google.type.Money` as whole cents |
//! | [`sweep`] | work that comes round while the service serves |
//! | [`shutdown`] | the end of a service: told, or forced by a vital task that ended ([`Shutdown`]) |
//! | [`clock`], [`ids`] | calendar time passed in, `UUIDv7` |

pub mod boot;
pub mod caller;
pub mod clock;
pub mod errors;
pub mod events;
mod faults;
pub mod idempotency;
pub mod ids;
pub mod mask;
pub mod money;
pub mod paging;
pub mod shutdown;
pub mod store;
pub mod sweep;
pub mod violations;

pub use boot::{About, Boot, BootError, Running, Site, main};
pub use caller::Caller;
pub use clock::Clock;
pub use errors::Failure;
pub use events::Events;
pub use jiff::Timestamp;
pub use money::Cents;
pub use paging::Page;
pub use shutdown::Shutdown;
pub use store::Store;
pub use violations::Violations;
