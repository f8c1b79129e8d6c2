//! Signing in at a real issuer, by a browser and on another device; programs with credentials and token files; tokens that
//! expire in the middle of a watch, and keys that change.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tonic::Code;
use tonic::transport::Endpoint;
use tonic_types::StatusExt as _;
use waymark_client::{Channel, ClientCredentials, Options, Start, TokenSource, Update, Watch};
use waymark_proto::access::v1::access_service_client::AccessServiceClient;
use waymark_proto::access::v1::{Role, WhoAmIRequest};
use waymark_proto::events::v1::WatchEventsRequest;
use waymark_proto::events::v1::events_service_client::EventsServiceClient;

use crate::issuer::{Issuer, LASTS, signs_in};
use crate::server::Server;

/// A server that believes an issuer, and where somebody's login is kept.
struct World {
    issuer: Issuer,
    server: Server,
    folder: tempfile::TempDir,
}

impl World {
    fn start() -> Self {
        let (issuer, folder) = (Issuer::start(), tempfile::tempdir().unwrap());
        let file = issuer.authentication(folder.path());
        let server = Server::start_with(folder.path(), &["--authentication", file.to_str().unwrap()]);
        Self { issuer, server, folder }
    }

    fn login_file(&self) -> PathBuf {
        self.folder.path().join("home/login.json")
    }

    fn run(&self, line: &[&str]) -> Result<String, (i32, String)> {
        self.server.run(&[line, &["--login-file", self.login_file().to_str().unwrap()]].concat())
    }

    fn json(&self, line: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.run(&[line, &["-o", "json"]].concat()).unwrap()).unwrap()
    }

    /// Somebody signs in by `waymark login`.
    fn login(&self, who: &str, device: bool) {
        let url = self.issuer.url();
        let mut line = vec!["login", "--issuer", &url];
        line.extend(device.then_some("--device"));
        let mut command = self.server.command(&line);
        command.args(["--login-file", self.login_file().to_str().unwrap()]);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut told = String::new();
        let address = loop {
            let mut line = String::new();
            assert_ne!(said.read_line(&mut line).unwrap(), 0, "no address is told: {told}");
            told.push_str(&line);
            if let Some(address) = line.split_whitespace().find(|word| word.starts_with("http://")) {
                break address.to_owned();
            }
        };
        let page = signs_in(&address, who);
        assert!(page.contains(if device { "Sign-in Success" } else { "You are signed in" }), "{page}");
        said.read_to_string(&mut told).unwrap();
        assert!(child.wait().unwrap().success(), "{told}");
    }

    fn robot(&self) -> TokenSource {
        let secret_file = self.folder.path().join("secret");
        std::fs::write(&secret_file, "planted-secret of the robot\n").unwrap();
        TokenSource::credentials(ClientCredentials {
            issuer: self.issuer.url(),
            ca: None,
            client_id: "robot".to_owned(),
            secret_file,
            scopes: Vec::new(),
            parameters: Vec::new(),
        })
    }

    fn channel(&self, token: TokenSource) -> Channel {
        Channel::new(self.server.roadmap(), Options { token: Some(token), ..Options::default() }).unwrap()
    }
}

#[test]
fn a_program_calls_by_its_own_credentials() {
    let world = World::start();
    let file = |name: &str, content: &str| {
        let path = world.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    file("secret", "planted-secret of the robot\n");
    let url = world.issuer.url();
    let right = file("robot.yaml", &format!("issuer: {url}\nclient_id: robot\nsecret_file: secret\n"));
    let me = world.json(&["whoami", "--client-credentials", &right]);
    assert_eq!(me["principal"], "users/corp/robot", "{me}");
    file("other", "another planted-secret\n");
    let wrong = file("wrong.yaml", &format!("issuer: {url}\nclient_id: robot\nsecret_file: other\n"));
    let (status, said) = world.run(&["whoami", "--client-credentials", &wrong]).unwrap_err();
    assert!(status == 5 && said.contains("there is no token for the call") && !said.contains("another"), "{said}");
    let (status, said) = world.run(&["whoami", "--client-credentials", "/nowhere"]).unwrap_err();
    assert!(status == 2 && said.contains("client_id"), "{status} {said}");
}

#[test]
fn people_sign_in_by_a_browser_or_on_another_device_and_sign_out() {
    let world = World::start();
    let (status, said) = world.run(&["whoami"]).unwrap_err();
    assert!(status == 5 && said.contains("no credentials"), "{said}");
    world.create_workspace();
    for (who, device) in [("ada", true), ("bob", false)] {
        world.login(who, device);
        let me = world.json(&["whoami"]);
        assert_eq!((&me["principal"], &me["issuer"]), (&format!("users/corp/{who}").into(), &"corp".into()), "{me}");
        assert_eq!((&me["role"], &me["groups"][0]), (&"ROLE_CONTRIBUTOR".into(), &"groups/corp/people".into()), "{me}");
    }
    // Longer than a token lasts: the login is renewed.
    std::thread::sleep(Duration::from_secs(LASTS + 1));
    world
        .run(&["products", "create", "app", "--display-name", "App", "--lifecycle", "exploring", "-w", "acme"])
        .unwrap();
    let events = world.run(&["events", "list", "--service", "roadmap", "-w", "acme"]).unwrap();
    assert!(events.contains("users/corp/bob"), "the log says who: {events}");
    // A contributor does not operate the service.
    let (status, said) = world.run(&["events", "dead-letters", "list", "-w", "acme"]).unwrap_err();
    assert!(status == 5 && said.contains("needs the role admin and has contributor"), "{said}");

    // The login is for the servers that were named when it was made, and others are sent nothing of it.
    let elsewhere = world.server.roadmap().replace("127.0.0.1", "localhost");
    let (status, said) = world.run_at(&elsewhere).unwrap_err();
    assert!(status == 5 && said.contains("no credentials"), "{said}");

    let kept = std::fs::read(world.login_file()).unwrap();
    world.run(&["logout"]).unwrap();
    assert_eq!(world.run(&["whoami"]).unwrap_err().0, 5);
    // A copy of it is of no use any more, as the issuer was told.
    std::fs::write(world.login_file(), kept).unwrap();
    std::thread::sleep(Duration::from_secs(LASTS));
    let (_, said) = world.run(&["whoami"]).unwrap_err();
    assert!(said.contains("sign in anew by `waymark login`"), "{said}");
}

impl World {
    fn run_at(&self, roadmap: &str) -> Result<String, (i32, String)> {
        self.server.at(roadmap).run(&["whoami", "--login-file", self.login_file().to_str().unwrap()])
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_outlives_its_tokens_where_each_alone_ends_it() {
    let world = World::start();
    let robot = world.robot();
    let mut me = AccessServiceClient::new(world.channel(robot.clone()));
    let told = me.who_am_i(WhoAmIRequest::default()).await.unwrap().into_inner();
    assert_eq!((told.principal.as_str(), told.role()), ("users/corp/robot", Role::Viewer));

    // With one token, the stream ends with it, and says after which revision to go on.
    let endpoint = Endpoint::from_shared(format!("http://{}", world.server.roadmap())).unwrap();
    let mut bare = EventsServiceClient::new(endpoint.connect().await.unwrap());
    let token = world.token().await;
    let mut request =
        tonic::Request::new(WatchEventsRequest { parent: "workspaces/acme".into(), ..Default::default() });
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let mut stream = bare.watch_events(request).await.unwrap().into_inner();
    let mut watch = Watch::new(world.channel(robot), "workspaces/acme", Vec::new(), Vec::new(), Start::Now);
    assert_eq!(watch.next().await.unwrap(), Update::Checkpoint(0));
    let began = Instant::now();
    let ended = loop {
        match tokio::time::timeout(Duration::from_mins(1), stream.message()).await.expect("it ends") {
            Ok(message) => assert!(message.is_some(), "it ends with a status"),
            Err(status) => break status,
        }
    };
    let info = ended.get_details_error_info().unwrap();
    assert_eq!((ended.code(), info.reason.as_str()), (Code::Unauthenticated, "UNAUTHENTICATED"));
    assert_eq!((info.metadata["refusal"].as_str(), info.metadata["revision"].as_str()), ("expired", "0"));
    assert!(began.elapsed() < Duration::from_secs(LASTS + 20), "{:?}", began.elapsed());

    // With a source of tokens the watch is there when something happens, however many tokens later.
    world.create_product();
    let seen = tokio::time::timeout(Duration::from_mins(1), async {
        loop {
            if let Update::Revision(1, events) = watch.next().await.unwrap() {
                return events;
            }
        }
    });
    assert_eq!(seen.await.expect("the watch goes on")[0].actor, "users/corp/ada");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_keys_of_the_issuer_are_taken_up_and_a_token_file_is_read_again() {
    let mut world = World::start();
    let file = world.folder.path().join("token");
    std::fs::write(&file, world.token().await).unwrap();
    let whoami = |file: &Path| world.server.run(&["whoami", "--token-file", file.to_str().unwrap()]);
    assert!(whoami(&file).unwrap().contains("users/corp/robot"));
    let mut me = AccessServiceClient::new(world.channel(TokenSource::file(&file)));
    me.who_am_i(WhoAmIRequest::default()).await.unwrap();
    std::fs::write(&file, "no.token.atall").unwrap();
    let (status, said) = whoami(&file).unwrap_err();
    assert!(status == 5 && said.contains("not a signed JSON web token"), "{said}");

    world.issuer.restart();
    let began = Instant::now();
    loop {
        // As what projects tokens does: a new one, in the same place.
        std::fs::write(&file, world.token().await).unwrap();
        match me.who_am_i(WhoAmIRequest::default()).await {
            Ok(told) => break assert_eq!(told.get_ref().principal, "users/corp/robot"),
            Err(status) => {
                let refusal = status.get_details_error_info().unwrap().metadata["refusal"].clone();
                assert!(["unknown_key", "malformed"].contains(&refusal.as_str()), "{status:?}");
            }
        }
        assert!(began.elapsed() < Duration::from_mins(1), "the new key is not known after a minute");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

impl World {
    /// A token of the robot, as its issuer gives it.
    async fn token(&self) -> String {
        self.robot().token().await.unwrap()
    }

    fn create_workspace(&self) {
        self.login("root", true);
        self.run(&["workspaces", "create", "acme", "--display-name", "Acme"]).unwrap();
    }

    fn create_product(&self) {
        self.create_workspace();
        self.login("ada", true);
        let line = ["products", "create", "app", "--display-name", "App", "--lifecycle", "exploring", "-w", "acme"];
        self.run(&line).unwrap();
    }
}
