import Alliance
import Logging
import ServiceLifecycle
import TransparencyLog
import UnixSignals

/// Takes up a renewed certificate without a restart, and warns while the one in use nears its end.
///
/// The files are looked at every few seconds, and at once on SIGHUP. What is new is taken only if peers would accept it;
/// else the old one stays in use. Open connections go on until the leaf that they began with expires. Where the operator
/// lets it, the node renews the certificate by itself.
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
    /// Nil for a node that may not renew its certificate.
    private var renewal: SelfRenewal?

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
        self.renewal = settings.authorityKey.map { SelfRenewal(authorityKey: $0, passphrase: passphrase) }
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

    /// Renews the certificate where that is due and this node may: the new one is judged first, then takes the place of
    /// the old file in one step, and is taken up like any other. Not to be called twice at once, nor with ``look()``.
    ///
    /// - Parameter isAsked: whether to try though the last failure was a moment ago.
    @discardableResult
    func renew(isAsked: Bool = false) async -> Outcome {
        let now = self.trust.now
        let material = self.tls.material
        guard let renewal = self.renewal, renewal.isDue(material.term, at: now, isAsked: isAsked) else {
            return .unchanged
        }
        do {
            try self.requireUsedFiles()
            let renewed = try await renewal.issue(like: material, now: now)
            if let reason = await self.judge(renewed) { throw NodeError("peers would not accept it: \(reason)") }
            try self.requireUsedFiles()
            try self.write(renewed.leaf)
        } catch {
            let pause = self.renewal?.fail(at: now) ?? 0
            self.audit?.append(
                .certificate, "the node could not renew its certificate: \(error)", ["reason": .string("\(error)")],
                durable: true)
            self.logger.warning(
                "this node could not renew its certificate by itself and will try again",
                metadata: [
                    "reason": "\(error)", "after": "\(pause) s", "until": LocalRoutes.timeText(material.term.ends),
                ])
            return .refused("\(error)")
        }
        self.renewal?.succeed()
        self.logger.notice("this node renewed its certificate by itself")
        return await self.look()
    }

    /// What the operator has put in place meanwhile is not to be written over.
    private func requireUsedFiles() throws {
        guard try CertificateFiles(self.settings) == self.used else {
            throw NodeError("the files of the certificate are not those in use; see why they were refused")
        }
    }

    private func write(_ leaf: PeerCertificate) throws {
        try PlainFile.write(Array(leaf.pem.utf8), to: self.settings.certificatePath, overwrite: true)
        self.audit?.append(
            .certificate, "the node renewed its certificate by itself, until \(Timestamp(seconds: leaf.notAfter).text)",
            ["ends": .string(Timestamp(seconds: leaf.notAfter).text)], durable: true)
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
        let (occasions, occasion) = AsyncStream<Bool>.makeStream(bufferingPolicy: .bufferingNewest(1))
        await cancelWhenGracefulShutdown {
            await self.watch.begin()
            await self.watch.renew()
            await withDiscardingTaskGroup { group in
                group.addTask {
                    for await isAsked in occasions {
                        await self.watch.look()
                        await self.watch.renew(isAsked: isAsked)
                    }
                }
                group.addTask {
                    for await _ in await UnixSignalsSequence(trapping: .sighup) { occasion.yield(true) }
                }
                group.addTask {
                    while (try? await Task.sleep(for: .seconds(CertificateWatch.interval))) != nil {
                        occasion.yield(false)
                    }
                }
            }
        }
    }
}
