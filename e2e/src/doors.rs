//! Two gateways in front of one product service, which count their clients together in a Redis.

use std::path::Path;
use std::time::Duration;

use crate::bed::{Bed, Folder, Setup};
use crate::redis::Redis;
use crate::role::Role;
use crate::shop::{Answer, Request};
use crate::wait::until;

/// How long a gateway may take to notice that the Redis is gone or back.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a gateway says when it counts together with others, and when it does not.
const TOGETHER: &str = "limits are counted together";
const ALONE: &str = "the store of limits can't be used";

/// The API key of whoever asks: who has no principal is counted by address, and addresses are counted at each door alone.
const KEY: &str = "machine-7f3a9c51e2d84b06";

/// The file of keys: this one, by its SHA-256.
const KEYS: &str = "keys:
  - name: both
    sha256: f9367c20d21124efe6153b6d851a4fa34707a883452cf9e6742f4a21ae0e4d56
    principal: batch
";

/// Both gateways, and what they share.
#[derive(Debug)]
pub struct Doors {
    /// The gateway beside the product service, and the other one.
    pub beds: [Bed; 2],
    /// What they count in.
    pub redis: Redis,
    _folder: Folder,
}

impl Doors {
    /// Opens both, with a limit by principal that lets `burst` requests through and no more for a long time.
    pub async fn open(program: &Path, burst: u32) -> Result<Self, String> {
        let folder = Folder::new();
        let redis = Redis::start(folder.path()).await?;
        let keys = folder.path().join("keys.yaml");
        std::fs::write(&keys, KEYS)
            .map_err(|error| format!("{} can't be written: {error}", keys.display()))?;
        let keys =
            format!("authentication:\n  api_keys: {{ file: {:?} }}\n", keys.display().to_string());
        let setup = || {
            Setup::new(program)
                .empty()
                .config("authentication:\n", &keys)
                .config("${LIMITS_STORE:-}", &redis.url())
                .config("${PRINCIPAL_RATE:-600/1m}", "1/1h")
                .config("${PRINCIPAL_BURST:-100}", &burst.to_string())
                .config("\n      - \"http://${PRODUCT_2_ADDR:-127.0.0.1:50062}\"", "")
        };
        let first = setup().start().await;
        first.start_all(&[Role::Product]).await;
        let product = first.ports().address(Role::Product).to_string();
        let second = setup().config("${PRODUCT_ADDR:-127.0.0.1:50052}", &product).start().await;
        let beds = [first, second];
        for bed in &beds {
            bed.start(Role::Gateway).await;
        }
        let doors = Self { beds, redis, _folder: folder };
        doors.counted_together(1).await?;
        Ok(doors)
    }

    /// A request to one of them, by somebody whom both know.
    pub fn product(bed: &Bed) -> Request {
        bed.shop().get("/api/products/p-1").header("x-api-key", KEY)
    }

    /// Asks both so many times, all at once, and answers what each of them said.
    pub async fn ask(&self, times: usize) -> [Vec<Answer>; 2] {
        let asked = self.beds.each_ref().map(|bed| {
            let ask = || tokio::spawn(Self::product(bed).into_future());
            std::iter::repeat_with(ask).take(times).collect::<Vec<_>>()
        });
        let mut answers = [Vec::new(), Vec::new()];
        for (answers, asked) in answers.iter_mut().zip(asked) {
            for asked in asked {
                match asked.await {
                    Ok(answer) => answers.push(answer),
                    Err(failed) => panic!("a request failed: {failed}"),
                }
            }
        }
        answers
    }

    /// Waits until both have said, for the `times`-th time, that they count together.
    pub async fn counted_together(&self, times: usize) -> Result<(), String> {
        self.said(TOGETHER, times).await
    }

    /// Waits until both have said, for the `times`-th time, that each counts alone.
    pub async fn counted_alone(&self, times: usize) -> Result<(), String> {
        self.said(ALONE, times).await
    }

    async fn said(&self, words: &str, times: usize) -> Result<(), String> {
        for bed in &self.beds {
            let log = bed.part(Role::Gateway).log();
            let said = async || (log.text().matches(words).count() >= times).then_some(());
            if until(PATIENCE, said).await.is_none() {
                return Err(format!("a gateway did not say that {words}:\n{}", log.end(5)));
            }
        }
        Ok(())
    }
}

/// How many were let through.
pub fn passed(answers: &[Answer]) -> usize {
    answers.iter().filter(|answer| answer.status != 429).count()
}
