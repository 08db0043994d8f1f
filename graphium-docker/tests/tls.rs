#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on should stop, and say why"
)]
//! An engine that listens with TLS: a real one, with what ends the TLS before it. `GRAPHIUM_TEST_DOCKER` names the engine by its
//! socket.

use graphium_core::runtime::{ContainerRuntime, RuntimeError};
use graphium_docker::{DockerRuntime, Endpoint, TlsTarget};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use std::{env, fs, path::Path, sync::Arc};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, UnixStream},
};
use tokio_rustls::TlsAcceptor;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for these names and its key, as text.
fn certificate(by: &Authority, names: &[&str]) -> (String, String) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let key = KeyPair::generate().unwrap();
    (CertificateParams::new(names).unwrap().signed_by(&key, by).unwrap().pem(), key.serialize_pem())
}

/// Ends the TLS before the engine for whoever shows a certificate by `authority`; its address.
async fn engine(authority: &Authority, names: &[&str]) -> u16 {
    let named = env::var("GRAPHIUM_TEST_DOCKER");
    let Some(socket) = named.as_deref().ok().and_then(|text| text.strip_prefix("unix://")).map(str::to_owned) else {
        panic!("no engine to test: set GRAPHIUM_TEST_DOCKER to the socket of one, or run `tests/run`")
    };
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let (own, key) = certificate(authority, names);
    let (own, key) = (CertificateDer::from_pem_slice(own.as_bytes()), PrivateKeyDer::from_pem_slice(key.as_bytes()));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(vec![own.unwrap()], key.unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, socket) = (acceptor.clone(), socket.clone());
            tokio::spawn(async move {
                // Whoever is not let in is told by TLS itself.
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let mut engine = UnixStream::connect(socket).await.unwrap();
                    let _ = copy_bidirectional(&mut stream, &mut engine).await;
                }
            });
        }
    });
    port
}

/// What is shown to the engine, as `docker` keeps it.
fn keep(folder: &Path, ca: &Authority, own: Option<&Authority>) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("ca.pem"), ca.pem()).unwrap();
    if let Some(own) = own {
        let (certificate, key) = certificate(own, &[]);
        fs::write(folder.join("cert.pem"), certificate).unwrap();
        fs::write(folder.join("key.pem"), key).unwrap();
    }
}

fn at(authority: String, folder: &Path) -> DockerRuntime {
    DockerRuntime::connect(Endpoint::Tls(TlsTarget { authority, certificates: folder.to_owned() }))
}

#[tokio::test]
async fn an_engine_behind_tls_is_one_like_others_and_who_is_not_known_is_told_why() {
    let (ours, theirs) = (authority(), authority());
    let port = engine(&ours, &["localhost"]).await;
    let folder = env::temp_dir().join(format!("graphium-tls-{}", std::process::id()));
    let folder_of = |name: &str, ca: &Authority, own: Option<&Authority>| {
        let folder = folder.join(name);
        keep(&folder, ca, own);
        folder
    };
    let good = folder_of("good", &ours, Some(&ours));
    let docker = at(format!("localhost:{port}"), &good);
    let info = docker.info().await.expect("the engine answers");
    assert_eq!(info.endpoint, format!("https://localhost:{port}"));
    let (one, two) = tokio::join!(docker.list(), docker.inspect("graphium-absent"));
    assert!(one.is_ok() && two == Ok(None));

    let told = async |authority: String, folder: &Path| match at(authority, folder).info().await {
        Err(RuntimeError::Unreachable { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    let here = || format!("localhost:{port}");
    let unknown = told(here(), &folder_of("unknown", &theirs, Some(&ours))).await;
    assert!(unknown.contains("invalid peer certificate"), "{unknown}");
    let other_name = told(format!("127.0.0.1:{port}"), &good).await;
    assert!(other_name.contains("certificate not valid for name"), "{other_name}");
    for (name, own) in [("nobody", None), ("stranger", Some(&theirs))] {
        let refused = told(here(), &folder_of(name, &ours, own)).await;
        assert!(refused.to_lowercase().contains("alert"), "{name}: {refused}");
    }
    let empty = folder.join("empty");
    let absent = told(here(), &empty).await;
    assert!(absent.contains("empty/ca.pem") && absent.contains("no such file"), "{absent}");
    let key = good.join("key.pem");
    fs::write(&key, "s3cret").unwrap();
    let broken = told(here(), &good).await;
    assert!(broken.ends_with("good/key.pem: there is no private key in it"), "{broken}");
    fs::remove_dir_all(&folder).unwrap();
}
