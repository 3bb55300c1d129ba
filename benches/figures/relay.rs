//! Submit to receipt over mutual TLS on loopback: all three kinds in turn, durable, beside the same server without a store.
//!
//! Server and clients have a runtime each, as two processes would, and share the machine's cores.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use samband::app::{App, AppConfig, RunningApp};
use samband::clock::Clock;
use samband::domain::identity::IdentityMode;
use samband::gateway::{Rate, Settings};
use samband::grpc::caller::CallLimits;
use samband::grpc::pb;
use samband::grpc::pb::laboratory_service_client::LaboratoryServiceClient;
use samband::grpc::pb::municipal_service_client::MunicipalServiceClient;
use samband::grpc::pb::prosecution_service_client::ProsecutionServiceClient;
use samband::grpc::server::ServerLimits;
use samband::store::Store;
use samband::store::embedded::end_process;
use samband::tls::{Backoff, ClientSettings, Connector, Limits, TlsSettings};
use tokio::runtime::Runtime;
use tonic::transport::{Channel, Endpoint};

use crate::home::Home;
use crate::messages::{Case, Kind, Messages};
use crate::no_store::NoStore;
use crate::raw::{Goal, Usage, sync, table};
use crate::{Figures, Wishes, receive};

/// Connections of all roles to one gateway.
pub struct Clients {
    notices: Vec<ProsecutionServiceClient<Channel>>,
    reports: Vec<MunicipalServiceClient<Channel>>,
    results: Vec<LaboratoryServiceClient<Channel>>,
    messages: Arc<Messages>,
    cases: Arc<Vec<Case>>,
}

impl Clients {
    fn new(home: &Home, address: SocketAddr, connections: usize, messages: &Arc<Messages>, cases: Vec<Case>) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(home.clock);
        let channels = |id: &str| -> Vec<Channel> {
            let settings = ClientSettings::load(&home.pki.client_files(id), clock.clone()).expect("its certificate");
            let channel = |_| {
                let connector = Connector::new(&settings, &address.to_string(), "localhost", Backoff::default()).expect("a valid name");
                Endpoint::from_static("http://localhost").connect_with_connector_lazy(connector)
            };
            (0..connections).map(channel).collect()
        };
        Self {
            notices: channels("politi-oslo").into_iter().map(ProsecutionServiceClient::new).collect(),
            reports: channels("ru-oslo").into_iter().map(MunicipalServiceClient::new).collect(),
            results: channels("lab-ous").into_iter().map(LaboratoryServiceClient::new).collect(),
            messages: messages.clone(),
            cases: Arc::new(cases),
        }
    }

    /// The unit's own client.
    pub fn unit(&self) -> MunicipalServiceClient<Channel> {
        self.reports[0].clone()
    }

    /// Sends one notice; the case that it opened.
    pub async fn notice(&self) -> Case {
        let answer = self.notices[0].clone().send_condition_notice(self.messages.notice(self.messages.next())).await;
        let outcome = answer.expect("the notice is accepted").into_inner().outcome;
        let Some(pb::send_condition_notice_response::Outcome::Accepted(accepted)) = outcome else { panic!("it was no validation") };
        Case { case_ref: accepted.case_ref, requisition_id: accepted.requisition_id.expect("the sample has a control part") }
    }

    /// Sends notices, one after the other, for some time.
    pub async fn fill(&self, time: Duration) {
        let start = Instant::now();
        while start.elapsed() < time {
            self.notice().await;
        }
    }

    /// A loop that sends one message after the other until `stop`, the times in milliseconds.
    fn sender(&self, at: usize, stop: Arc<AtomicBool>) -> impl Future<Output = Vec<f64>> + Send + use<> {
        let at = at % self.notices.len();
        let (mut notices, mut reports, mut results) = (self.notices[at].clone(), self.reports[at].clone(), self.results[at].clone());
        let (messages, cases) = (self.messages.clone(), self.cases.clone());
        async move {
            let mut times = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let n = messages.next();
                let case = &cases[(n / 3) as usize % cases.len()];
                let start;
                match Kind::of(n) {
                    Kind::Notice => {
                        let request = messages.notice(n);
                        start = Instant::now();
                        notices.send_condition_notice(request).await.map(drop).expect("every notice is accepted");
                    }
                    Kind::Report => {
                        let request = messages.report(n, case);
                        start = Instant::now();
                        reports.report_non_attendance(request).await.map(drop).expect("every report is accepted");
                    }
                    Kind::Result => {
                        let request = messages.result(n, case);
                        start = Instant::now();
                        results.send_lab_result(request).await.map(drop).expect("every result is accepted");
                    }
                }
                times.push(start.elapsed().as_secs_f64() * 1000.0);
            }
            times
        }
    }

    /// Keeps `in_flight` messages at work for some seconds.
    async fn load(&self, in_flight: usize, seconds: f64) -> Run {
        let stop = Arc::new(AtomicBool::new(false));
        let usage = Usage::now();
        let start = Instant::now();
        let tasks: Vec<_> = (0..in_flight).map(|at| tokio::spawn(self.sender(at, stop.clone()))).collect();
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
        stop.store(true, Ordering::Relaxed);
        let mut times = Vec::new();
        for task in tasks {
            times.extend(task.await.expect("a client task does not panic"));
        }
        let count = times.len() as f64;
        let (per_second, each) = (count / start.elapsed().as_secs_f64(), usage.each(count));
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        Run { per_second, p50: at(0.5), p99: at(0.99), mean: times.iter().sum::<f64>() / count, count, each }
    }
}

struct Run {
    per_second: f64,
    p50: f64,
    p99: f64,
    /// Of one call, in milliseconds.
    mean: f64,
    count: f64,
    each: String,
}

impl Run {
    fn cell(&self) -> String {
        format!("{:.0}/s, {:.2} / {:.2} ms", self.per_second, self.p50, self.p99)
    }
}

/// A gateway over `store`, and where it listens.
async fn serve(store: Arc<dyn Store>, home: &Home) -> (RunningApp, SocketAddr) {
    let clock: Arc<dyn Clock> = Arc::new(home.clock);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    // What is measured is the gateway, not its limits: one prosecution stands here for a whole country.
    let calls = Rate { burst: u32::MAX, every_micros: 1 };
    let connections = Limits { received_bytes_per_key_per_s: 1 << 40, ..Limits::default() };
    let most = CallLimits {
        calls_max: 8192,
        calls_per_participant_max: 8192,
        request_bytes_per_participant_max: 64 << 20,
        ..CallLimits::default()
    };
    let app = App::start(AppConfig {
        store,
        tls: Arc::new(TlsSettings::load(home.pki.gateway_files(), clock.clone()).expect("the development PKI was just made")),
        listener,
        connections,
        server: ServerLimits { calls: most, ..ServerLimits::default() },
        gateway: Settings { identity_mode: IdentityMode::Test, calls, mailbox_items_max: usize::MAX, ..Settings::default() },
        clock,
        on_fatal: end_process(),
    });
    let app = app.await.expect("the gateway starts");
    let address = app.local_addr();
    (app, address)
}

fn runtime(name: &str) -> Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().thread_name(name).build().expect("the system has threads")
}

/// Measures, prints, and adds what is asked for to `goals`.
pub fn run(wishes: &Wishes, goals: &mut Vec<Goal>) {
    let home = Home::new(&wishes.dir);
    let messages = Arc::new(Messages::new(home.clock));
    let (servers, clients) = (runtime("server"), runtime("client"));
    let store = servers.block_on(home.fresh());
    let (app, address) = servers.block_on(serve(store, &home));
    let (bare, bare_address) = servers.block_on(serve(Arc::new(NoStore::new(home.clock, home.register.clone())), &home));
    // No case gets more messages than a case may have.
    let cases = (wishes.seconds * 128.0) as usize * wishes.in_flight.len().max(1) + 64;
    clients.block_on(async {
        let mut durable = Clients::new(&home, address, wishes.connections, &messages, Vec::new());
        let mut opened = Vec::with_capacity(cases);
        for _ in 0..cases {
            opened.push(durable.notice().await);
        }
        receive::acknowledge_all(durable.unit(), cases).await;
        durable.cases = Arc::new(opened.clone());
        let bare = Clients::new(&home, bare_address, wishes.connections, &messages, opened);
        if wishes.wants(Figures::Relay) {
            relay(wishes, &home, &bare, &durable, goals).await;
        }
        if wishes.wants(Figures::Receive) {
            receive::run(wishes, &durable).await;
        }
    });
    servers.block_on(async {
        // The goal of a stop is the tests'; here it only ends the threads.
        let _ = bare.shutdown(Duration::from_secs(2)).await;
        let _ = app.shutdown(Duration::from_secs(5)).await;
    });
}

async fn relay(wishes: &Wishes, home: &Home, bare: &Clients, durable: &Clients, goals: &mut Vec<Goal>) {
    let mut rows = Vec::new();
    for in_flight in &wishes.in_flight {
        bare.load(*in_flight, 0.5).await;
        let warm = home.frames();
        durable.load(*in_flight, 0.5).await;
        let frame = home.frames().since(&warm).bytes_each();
        let before = sync(&wishes.dir, frame);
        let bare_run = bare.load(*in_flight, wishes.seconds).await;
        let frames = home.frames();
        let run = durable.load(*in_flight, wishes.seconds).await;
        let frames = home.frames().since(&frames);
        let sync = before.between(sync(&wishes.dir, frames.bytes_each()));
        let n = *in_flight as f64;
        let bound = n / (n / bare_run.per_second + 2.0 * sync.seconds);
        let reached = run.per_second / bound;
        let times = run.mean / (sync.seconds * 1000.0 + bare_run.mean);
        rows.push(vec![
            in_flight.to_string(),
            sync.to_string(),
            bare_run.cell(),
            bare_run.each.clone(),
            run.cell(),
            run.each.clone(),
            format!("{:.1}", run.count / frames.count as f64),
            format!("{bound:.0}/s: {:.0} %", reached * 100.0),
        ]);
        let mut goal = |what: String, asked: &str, reached: String, met| goals.push(Goal { what, asked: asked.to_owned(), reached, met });
        match in_flight {
            1 => goal("one message alone, in (T + one bare call)".to_owned(), "at most 3", format!("{times:.2}"), times <= 3.0),
            64 => {
                let what = "64 in flight, of 64 / (64 / R + 2 T)".to_owned();
                goal(what, "at least 60 %", format!("{:.0} %", reached * 100.0), reached >= 0.6);
            }
            _ => {}
        }
    }
    println!("Submit to receipt over mutual TLS, {} connections; T: fdatasync of a frame; R: without a store.", 3 * wishes.connections);
    let columns = ["T", "R, p50 / p99", "CPU, switches", "durable, p50 / p99", "CPU, switches", "a frame", "64 / (64 / R + 2 T)"];
    let columns = columns.map(|column| column.replace("64", "n"));
    table("n in flight", &columns.each_ref().map(String::as_str), &rows);
}
