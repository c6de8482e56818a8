import Alliance
import Logging
import Replication
import Store
import TransparencyLog

/// Takes up charters, from peers or from the operator, without a restart: a charter that is valid is durable before
/// anything acts on it, and what depends on the charters is then rebuilt from them.
///
/// One is dealt with at a time, in the order of arrival.
actor CharterKeeper {
    /// What became of a charter.
    enum Outcome: Sendable {
        /// It is new here.
        case adopted(CharterChain)
        /// It was held before.
        case held(CharterChain)
        case refused(CharterRefusal)
        /// It could not be stored.
        case failed(String)
    }

    private let identity: NodeIdentity
    private let store: Store
    private let logger: Logger
    private let audit: AuditFile?
    private var last: Task<Outcome, Never>?
    private var warned = NoticeRepeat()
    private var onChange: @Sendable (CharterChain) async -> Void = { _ in }

    init(identity: NodeIdentity, store: Store, logger: Logger, audit: AuditFile? = nil) {
        self.identity = identity
        self.store = store
        self.logger = logger
        self.audit = audit
    }

    /// - Parameter onChange: called after each change, before the next charter is looked at.
    func attach(_ onChange: @escaping @Sendable (CharterChain) async -> Void) { self.onChange = onChange }

    /// Takes up a charter's file.
    ///
    /// - Parameter version: which it is said to be; nil where nobody says.
    func take(_ file: [UInt8], as version: UInt64? = nil) async -> Outcome {
        let before = last
        let task = Task {
            _ = await before?.value
            return await self.consider(file, version)
        }
        last = task
        return await task.value
    }

    private func consider(_ file: [UInt8], _ version: UInt64?) async -> Outcome {
        let before = identity.chain
        let (chain, refusal) = await Self.added(file, version, to: before)
        if let refusal {
            audit?.count(
                .charterRefused, reason: refusal.code.rawValue, member: nil, "refused a charter: \(refusal.reason)")
            return .refused(refusal)
        }
        guard chain != before else { return .held(before) }
        guard chain.current.charter.member(id: identity.memberID) != nil else {
            return .refused(CharterRefusal(.selfContradicting, "it does not list this node's member"))
        }
        do {
            try await store.install(chain, check: EntryChecking.checkNow)
        } catch {
            logger.error("a charter could not be stored", metadata: ["reason": "\(error)"])
            return .failed("\(error)")
        }
        identity.take(chain)
        tell(chain, before)
        await onChange(chain)
        return .adopted(chain)
    }

    /// Signatures are checked off the actor.
    @concurrent
    private static func added(
        _ file: [UInt8], _ version: UInt64?, to chain: CharterChain
    ) async -> (CharterChain, CharterRefusal?) {
        Self.add(file, version, to: chain)
    }

    // Apart: typed errors in an asynchronous function make the optimiser of Swift 6.3.1 crash (decision 0013).
    private static func add(
        _ file: [UInt8], _ version: UInt64?, to chain: CharterChain
    ) -> (CharterChain, CharterRefusal?) {
        let signed: SignedCharter
        do throws(AllianceError) {
            signed = try SignedCharter(parsing: file)
        } catch {
            return (chain, CharterRefusal(.malformed, error.description))
        }
        if let version, UInt64(signed.unverified.version) != version {
            let text = "it is version \(signed.unverified.version), and was sent as \(version)"
            return (chain, CharterRefusal(.malformed, text))
        }
        var chain = chain
        do throws(CharterRefusal) {
            try chain.add(signed)
            return (chain, nil)
        } catch {
            return (chain, error)
        }
    }

    /// Says in the log that the charter in force nears its end: 30, 7 and 1 days ahead, and daily.
    ///
    /// - Parameter now: seconds since 1970. To be called every minute or so.
    func warn(at now: Int64 = Clock.seconds) {
        let expires = identity.charter.charter.expires.seconds
        let text: String? =
            switch EndNotice(left: expires - now) {
            case .over?: "the charter has expired: verifications of now answer \"cannot tell\""
            case let notice?: "the charter expires soon, \(notice.words); propose the next version"
            case nil: nil
            }
        guard warned.isDue(text, at: now), let text else { return }
        logger.warning(
            "\(text)",
            metadata: ["version": "\(identity.charter.charter.version)", "until": LocalRoutes.timeText(expires)])
    }

    private func tell(_ chain: CharterChain, _ before: CharterChain) {
        let charter = chain.current
        if chain.isContested, !before.isContested {
            logger.critical(
                "regulators signed two charters of one version: neither is in force until a later one names one of them",
                metadata: ["version": "\(charter.charter.version + 1)"])
        }
        let changes = CharterDiff(from: before.current.charter, to: charter.charter).changes.map(\.text)
        audit?.append(
            .charterAdopted,
            chain.isContested
                ? "regulators signed two charters of version \(charter.charter.version + 1)"
                : "charter version \(charter.charter.version) is in force, fingerprint \(charter.fingerprint)",
            [
                "version": .integer(Int64(charter.charter.version)), "digest": .string(charter.digest.hex),
                "contested": .bool(chain.isContested), "changes": .array(changes.map { .string($0) }),
            ], durable: true)
        guard charter.digest != before.current.digest else { return }
        logger.notice(
            "a charter is in force",
            metadata: ["version": "\(charter.charter.version)", "fingerprint": "\(charter.fingerprint)"])
        for change in changes { logger.notice("the charter changes", metadata: ["what": "\(change)"]) }
    }
}
