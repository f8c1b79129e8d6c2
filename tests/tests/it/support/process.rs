//! The roadmap service as the process that is deployed, which a test may kill, stop and start again on the same port.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use waymark_client::{Channel, Options};
use waymark_proto::roadmap::v1::GetProductRequest;
use waymark_proto::roadmap::v1::strategy_service_client::StrategyServiceClient;
use waymark_testkit::process::Process;
use waymark_testkit::{free_address, wait_until};

/// How long a process may take to answer, or to end, on a busy machine.
const LIMIT: Duration = Duration::from_secs(40);

/// The process, running or not.
pub struct RoadmapProcess {
    /// Where it listens whenever it runs.
    pub address: SocketAddr,
    options: Vec<String>,
    process: Option<Process>,
}

impl RoadmapProcess {
    /// A process with further options, not started yet.
    pub fn new(options: impl IntoIterator<Item = String>) -> Self {
        let address = free_address();
        let fixed = ["--listen".to_owned(), address.to_string(), "--admin-listen".to_owned(), "127.0.0.1:0".to_owned()];
        Self { address, options: fixed.into_iter().chain(options).collect(), process: None }
    }

    /// Starts it with fail points such as `store-after-commit=20*off->1*return`, none for an empty text; returns once
    /// it answers, or has ended at a fail point before it did.
    pub async fn start(&mut self, fail_points: &str) {
        self.spawn(fail_points);
        wait_until("the roadmap service answers", LIMIT, async || self.has_ended() || self.answers().await).await;
        assert!(!(fail_points.is_empty() && self.has_ended()), "it ended at once; WAYMARK_TEST_VERBOSE=1 shows why");
    }

    /// Starts it and returns at once.
    pub fn spawn(&mut self, fail_points: &str) {
        let binary = binary("waymark-roadmap").display().to_string();
        let points = format!("FAILPOINTS={fail_points}");
        let options = self.options.iter().map(String::as_str);
        let args: Vec<&str> = [points.as_str(), binary.as_str()].into_iter().chain(options).collect();
        self.process = Some(Process::start("/usr/bin/env".as_ref(), &args).unwrap());
    }

    /// Ends it at once (SIGKILL).
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Asks it to drain and end (SIGTERM).
    pub fn terminate(&self) {
        self.process.as_ref().unwrap().terminate().unwrap();
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self) {
        wait_until("the roadmap service ends", LIMIT, async || self.has_ended()).await;
        self.process = None;
    }

    /// Whether it does not run.
    pub fn has_ended(&self) -> bool {
        self.process.as_ref().is_none_or(Process::has_ended)
    }

    /// Whether it serves.
    async fn answers(&self) -> bool {
        let options = Options { attempts: 1, deadline: Duration::from_secs(2), ..Options::default() };
        let channel = Channel::new(&self.address.to_string(), options).unwrap();
        let name = "workspaces/none/products/none".to_owned();
        let answer = StrategyServiceClient::new(channel).get_product(GetProductRequest { name }).await;
        answer.is_err_and(|status| status.code() == tonic::Code::NotFound)
    }
}

/// A binary of the workspace, beside this test's own.
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join(name);
    assert!(path.is_file(), "{} is not built: run `cargo build --workspace --all-targets`", path.display());
    path
}
