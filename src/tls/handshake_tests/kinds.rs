//! Lists and certificates of kinds that our own CAs do not make: which list clears which certificate.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CrlDistributionPoint, CrlIssuingDistributionPoint, CrlScope,
    CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, SerialNumber, date_time_ymd,
};

use super::*;

const PLACE: &str = "http://crl.example/1";
const SIGNS_ALL: [KeyUsagePurpose; 2] = [KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];

type Own = Issuer<'static, KeyPair>;

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    (params.not_before, params.not_after) = (date_time_ymd(2026, 1, 1), date_time_ymd(2030, 1, 1));
    params
}

fn ca(name: &str, usages: &[KeyUsagePurpose]) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = usages.to_vec();
    params.crl_distribution_points = vec![at_place()];
    params
}

fn at_place() -> CrlDistributionPoint {
    CrlDistributionPoint { uris: vec![PLACE.to_owned()] }
}

fn leaf() -> CertificateParams {
    let mut params = params("leaf");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.crl_distribution_points = vec![at_place()];
    params
}

/// Of all certificates, or of a part of those that name the place.
fn list(issuer: &Own, part: Option<Option<CrlScope>>) -> String {
    let list = CertificateRevocationListParams {
        this_update: date_time_ymd(2026, 5, 1),
        next_update: date_time_ymd(2027, 1, 1),
        crl_number: SerialNumber::from(1_u64),
        issuing_distribution_point: part.map(|scope| CrlIssuingDistributionPoint { distribution_point: at_place(), scope }),
        revoked_certs: vec![],
        key_identifier_method: KeyIdMethod::Sha256,
    };
    list.signed_by(issuer).unwrap().pem().unwrap()
}

/// A root, and a CA below it whose certificate allows `usages`.
struct Kinds {
    bench: Bench,
    root: Own,
    issuing: Own,
    issuing_der: Vec<u8>,
}

impl Kinds {
    fn new(usages: &[KeyUsagePurpose]) -> Self {
        let bench = Bench::new();
        let keys = [(); 2].map(|()| KeyPair::generate().unwrap());
        let [of_root, of_issuing] = keys;
        let root_certificate = ca("Root", &SIGNS_ALL).self_signed(&of_root).unwrap();
        let root = Issuer::new(ca("Root", &SIGNS_ALL), of_root);
        let issuing_certificate = ca("Issuing", usages).signed_by(&of_issuing, &root).unwrap();
        fs::write(bench.path("root.pem"), root_certificate.pem()).unwrap();
        fs::write(bench.path("issuing.pem"), issuing_certificate.pem()).unwrap();
        // It signs lists whatever its certificate says.
        let issuing = Issuer::new(ca("Issuing", &SIGNS_ALL), of_issuing);
        Self { bench, root, issuing, issuing_der: issuing_certificate.der().to_vec() }
    }

    /// How a certificate like `leaf` is judged with these lists of the root and the CA below it.
    fn judge(&self, leaf: &CertificateParams, lists: [String; 2]) -> Result<(), HandshakeReason> {
        fs::write(self.bench.path("crl.pem"), lists.concat()).unwrap();
        let files = TlsFiles {
            client_ca_files: vec![self.bench.path("root.pem")],
            issuing_ca_files: vec![self.bench.path("issuing.pem")],
            ..self.bench.files(vec![self.bench.path("crl.pem")])
        };
        let settings = TlsSettings::load(files, self.bench.clock.clone()).unwrap();
        let leaf = leaf.signed_by(&KeyPair::generate().unwrap(), &self.issuing).unwrap();
        settings.judge(&[leaf.der().to_vec(), self.issuing_der.clone()], NOW)
    }
}

#[test]
fn a_list_of_one_kind_of_certificates_clears_no_other_kind() {
    let kinds = Kinds::new(&SIGNS_ALL);
    let judge = |of_root, of_issuing| kinds.judge(&leaf(), [list(&kinds.root, of_root), list(&kinds.issuing, of_issuing)]);
    let (all, users, cas) = (Some(None), Some(Some(CrlScope::UserCertsOnly)), Some(Some(CrlScope::CaCertsOnly)));
    for of_root in [None, all, cas] {
        for of_issuing in [None, all, users] {
            assert_eq!(judge(of_root, of_issuing), Ok(()));
        }
        assert_eq!(judge(of_root, cas), Err(HandshakeReason::RevocationUnknown), "a client's certificate is no CA's");
    }
    assert_eq!(judge(users, users), Err(HandshakeReason::RevocationUnknown), "a CA's certificate is no client's");
}

#[test]
fn the_list_of_a_ca_that_signs_no_lists_clears_nobody() {
    for (usages, wanted) in [(&SIGNS_ALL[..], Ok(())), (&[], Ok(())), (&SIGNS_ALL[..1], Err(HandshakeReason::RevocationUnknown))] {
        let kinds = Kinds::new(usages);
        assert_eq!(kinds.judge(&leaf(), [list(&kinds.root, None), list(&kinds.issuing, None)]), wanted, "{usages:?}");
    }
}

#[test]
fn a_place_for_some_reasons_or_of_another_issuer_is_not_the_certificate_s_part() {
    let kinds = Kinds::new(&SIGNS_ALL);
    let lists = || [list(&kinds.root, None), list(&kinds.issuing, Some(None))];
    let element = |tag: u8, content: &[u8]| [&[tag, u8::try_from(content.len()).unwrap()], content].concat();
    let place = element(0xa0, &element(0xa0, &element(0x86, PLACE.as_bytes())));
    let reasons = element(0x81, &[6, 0x40]);
    let other = element(0xa2, &element(0x86, b"http://crl.example/issuer"));
    for (limit, wanted) in
        [(vec![], Ok(())), (reasons, Err(HandshakeReason::RevocationUnknown)), (other, Err(HandshakeReason::RevocationUnknown))]
    {
        let points = element(0x30, &element(0x30, &[place.clone(), limit].concat()));
        let extension = CustomExtension::from_oid_content(&[2, 5, 29, 31], points);
        let mut leaf = leaf();
        (leaf.crl_distribution_points, leaf.custom_extensions) = (vec![], vec![extension]);
        assert_eq!(kinds.judge(&leaf, lists()), wanted);
    }
}
