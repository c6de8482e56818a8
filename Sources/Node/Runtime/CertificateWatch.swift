import Alliance
import Logging
import ServiceLifecycle
import TransparencyLog
import UnixSignals

/// Takes up a renewed certificate without a restart, and warns while the one in use nears its end.
///
/// The files are looked at every few seconds, and at once on SIGHUP. What is new is taken only if peers would accept it;
/// else the old one stays in use. Open connections go on until the leaf that they began with expires.
actor CertificateWatch {
    /// Seconds between two looks at the files.
    static let interval: Int64 = 5

    enum Outcome: Sendable, Hashable {
        case unchanged
        case replaced
        /// In words for the operator.
        case refused(String)
    }

    private let settings: NodeSettings
    private let passphrase: Passphrase
    private let member: String
    private let tls: TLSIdentity
    private let trust: TrustStore
    private let logger: Logger
    private let audit: AuditFile?
    /// The files that what is in use was made of.
    private var used: CertificateFiles
    /// The files that were refused last, so that they are complained about once.
    private var refused: CertificateFiles?
    private var unreadable: String?
    private var warned = NoticeRepeat()

    /// - Parameters:
    ///   - member: the id of the member whose node this is.
    ///   - files: those that `tls` was made of.
    init(
        settings: NodeSettings, passphrase: Passphrase, member: String, files: CertificateFiles, tls: TLSIdentity,
        trust: TrustStore, logger: Logger, audit: AuditFile? = nil
    ) {
        self.settings = settings
        self.passphrase = passphrase
        self.member = member
        self.used = files
        self.tls = tls
        self.trust = trust
        self.logger = logger
        self.audit = audit
    }

    /// Says at the start what peers will think of the certificate.
    func begin() async {
        if let reason = await self.judge(self.tls.material) {
            self.logger.error("peers will not accept this node's certificate", metadata: ["reason": "\(reason)"])
        }
        self.warn()
    }

    /// Looks at the files, takes up what is new and good, and warns where that is due. Not to be called twice at once.
    @discardableResult
    func look() async -> Outcome {
        defer { self.warn() }
        let files: CertificateFiles
        do {
            files = try CertificateFiles(self.settings)
        } catch {
            let reason = "\(error)"
            if reason != self.unreadable { self.complain(reason) }
            self.unreadable = reason
            return .refused(reason)
        }
        self.unreadable = nil
        guard files != self.used else {
            self.refused = nil
            return .unchanged
        }
        guard files != self.refused else { return .unchanged }
        do {
            let known = (self.used, self.tls.material)
            let material = try await Self.material(files, self.settings, self.passphrase, known: known)
            if let reason = await self.judge(material) { throw NodeError(reason) }
            try self.tls.replace(with: material)
            self.used = files
            self.refused = nil
            self.warned = NoticeRepeat()
            let key = HashValue(material.leaf.keyDigest)?.hex ?? ""
            self.logger.notice(
                "a new certificate is in use",
                metadata: ["until": LocalRoutes.timeText(material.term.ends), "key": "\(key)"])
            self.audit?.append(
                .certificate, "a new certificate is in use, until \(Timestamp(seconds: material.term.ends).text)",
                ["key": .string(key), "ends": .string(Timestamp(seconds: material.term.ends).text)], durable: true)
            return .replaced
        } catch {
            self.refused = files
            self.complain("\(error)")
            return .refused("\(error)")
        }
    }

    /// What peers would say of our chain, as the charter and rosters held here have it; nil if they take it.
    private func judge(_ material: TLSIdentity.Material) async -> String? {
        let chain = [material.leaf.der, material.authority.der]
        for role in [PeerTrust.Role.client, .server] {
            switch await self.trust.evaluate(chain: chain, role: role) {
            case .failure(let rejection): return rejection.rawValue
            case .success(let identity) where identity.memberID != self.member:
                return PeerRejection.wrongMember.rawValue
            case .success(let identity):
                guard identity.access == .restricted(.notInRoster), role == .client else { continue }
                self.logger.warning("this member's roster does not list the certificate's key: no documents come")
            }
        }
        return nil
    }

    @concurrent
    private static func material(
        _ files: CertificateFiles, _ settings: NodeSettings, _ passphrase: Passphrase,
        known: (CertificateFiles, TLSIdentity.Material)
    ) async throws -> TLSIdentity.Material {
        try files.material(settings, passphrase, known: known)
    }

    private func complain(_ reason: String) {
        self.audit?.append(
            .certificate, "a new certificate was refused: \(reason)", ["reason": .string(reason)], durable: true)
        self.logger.error(
            "the new certificate is refused, the one in use stays",
            metadata: ["reason": "\(reason)", "until": LocalRoutes.timeText(self.tls.material.term.ends)])
    }

    private func warn() {
        let (term, now) = (self.tls.material.term, self.trust.now)
        let text: String? =
            switch term.warning(at: now) {
            case .endsSoon(let notice)?:
                "this node's certificate ends soon, \(notice.words); renew it with entente tls renew"
            case .ended?: "this node's certificate has ended and no peer accepts it; renew it"
            case .notYetValid?: "this node's certificate is not valid yet; is the clock right?"
            case nil: nil
            }
        guard self.warned.isDue(text, at: now), let text else { return }
        self.logger.warning("\(text)", metadata: ["until": LocalRoutes.timeText(term.ends)])
    }
}

/// Runs a ``CertificateWatch`` until the node ends.
struct CertificateService: Service, CustomStringConvertible {
    let watch: CertificateWatch
    var description: String { "certificate" }

    func run() async throws {
        let (occasions, occasion) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        await cancelWhenGracefulShutdown {
            await self.watch.begin()
            await withDiscardingTaskGroup { group in
                group.addTask { for await _ in occasions { await self.watch.look() } }
                group.addTask {
                    for await _ in await UnixSignalsSequence(trapping: .sighup) { occasion.yield() }
                }
                group.addTask {
                    while (try? await Task.sleep(for: .seconds(CertificateWatch.interval))) != nil {
                        occasion.yield()
                    }
                }
            }
        }
    }
}
