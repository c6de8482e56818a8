public import Alliance
internal import Replication

/// What an operator has to look at, judged from what a node knows of itself.
public struct NodeHealth: Sendable, Hashable {
    /// The exit status of `entente status`.
    public enum Level: Int, Sendable, Comparable {
        case ok = 0
        case attention = 1
        case critical = 2

        public static func < (one: Level, other: Level) -> Bool { one.rawValue < other.rawValue }

        /// A stable word for programs.
        public var word: String {
            switch self {
            case .ok: "ok"
            case .attention: "attention"
            case .critical: "critical"
            }
        }
    }

    public struct Concern: Sendable, Hashable {
        public let level: Level
        /// A stable word for programs.
        public let code: String
        /// What is wrong, and what to do.
        public let text: String
    }

    /// The gravest first.
    public private(set) var concerns: [Concern] = []

    /// Nothing is wrong yet.
    public init() {}

    public var level: Level { concerns.map(\.level).max() ?? .ok }

    /// Bytes of the disk that are left.
    static let disk = (low: UInt64(2) << 30, critical: UInt64(256) << 20)
    /// Seconds by which a peer's clock may differ. Cosignatures more than 300 s ahead do not count.
    static let clock = (noticed: Int64(30), critical: Int64(300))
    /// Seconds for which a declaration that has lapsed is told of.
    static let lapsedFor = Int64(30 * 86_400)

    private mutating func add(_ level: Level, _ code: String, _ text: String) {
        concerns.append(Concern(level: level, code: code, text: text))
        concerns.sort { $0.level > $1.level }
    }

    private static func level(_ notice: EndNotice) -> Level { notice.rawValue > 1 ? .attention : .critical }

    private static func when(_ days: Int64) -> String {
        days < 1 ? "within a day" : days == 1 ? "in 1 day" : "in \(days) days"
    }

    /// The certificate that the node shows its peers.
    public mutating func judge(_ term: CertificateTerm, now: Int64) {
        let days = (term.ends - now) / 86_400
        switch term.warning(at: now) {
        case .ended: add(.critical, "certificate-ended", "the certificate has ended and no peer accepts it; renew it")
        case .notYetValid:
            add(.critical, "certificate-not-yet", "the certificate is not valid yet; is the clock right?")
        case .endsSoon(let notice):
            add(
                Self.level(notice), "certificate-ends",
                "the certificate ends \(Self.when(days)); renew it with entente tls renew")
        case nil: break
        }
    }

    /// What the member's roster says of the certificate's key.
    public mutating func judge(_ key: KeyStanding) {
        switch key {
        case .listed: break
        case .revoked:
            add(
                .critical, "certificate-key-revoked",
                "the roster revokes the certificate's key: no peer lets it connect")
        case .notListed:
            add(
                .attention, "certificate-key-not-listed",
                "the roster does not list the certificate's key: no documents come; enter it with entente node add")
        }
    }

    /// The certificate that a running node shows, where another lies in its folder.
    public mutating func judge(inUse isInUse: Bool) {
        guard !isInUse else { return }
        add(
            .attention, "certificate-not-in-use",
            "the running node shows another certificate: it takes a new one up within seconds, or its log says why not")
    }

    /// The charter in force, and this member in it.
    mutating func judge(_ charter: Charter, isContested: Bool, own: MemberStanding?, now: Int64) {
        if isContested {
            add(
                .critical, "charter-contested",
                "regulators signed two charters of one version: neither is in force until a later one names one of them"
            )
        }
        let left = charter.expires.seconds - now
        switch EndNotice(left: left) {
        case .over?:
            add(.critical, "charter-expired", "the charter has expired: verifications of now answer \"cannot tell\"")
        case let notice?:
            add(
                Self.level(notice), "charter-expires",
                "the charter expires \(Self.when(left / 86_400)); propose the next version")
        case nil: break
        }
        if own != .active {
            add(
                .attention, "not-active", "this member is \(own?.rawValue ?? "not") in the charter: it does not publish"
            )
        }
    }

    /// A log as it is held here.
    mutating func judge(log title: String, isContradicted: Bool, problem: String?) {
        guard let problem else { return }
        add(isContradicted ? .critical : .attention, "log", "\(title)'s log: \(problem)")
    }

    /// How many of the other members' nodes are connected; a peer that was never reached may just be starting.
    mutating func judge(connected: Int, unreachable: [String], restricted: [String], quorum: Int, uptime: Int64) {
        if !unreachable.isEmpty {
            add(.attention, "unreachable", "cannot reach \(unreachable.joined(separator: ", ")); see entente peers")
        }
        if !restricted.isEmpty {
            add(
                .attention, "restricted",
                "no roster held here lists the key of \(restricted.joined(separator: ", ")): no documents")
        }
        if connected < quorum, uptime > 60 {
            add(
                .critical, "no-quorum",
                "\(connected) other members are connected and \(quorum) make a quorum: what is published gets none now")
        }
    }

    /// How far this start of the node is.
    mutating func judge(_ standing: IncarnationStanding, under charter: Charter, uptime: Int64) {
        guard standing != .none, let reason = standing.objection(under: charter) else { return }
        switch standing {
        case .superseded: return add(.critical, "superseded", reason)
        case .forked: return add(.critical, "forked", reason)
        case .contradicted: return add(.critical, "contradicted", reason)
        case .none, .waiting, .takingBack, .established: break
        }
        add(uptime > 60 ? .critical : .attention, "starting", reason)
    }

    /// A peer that holds more of this member's log than this node.
    mutating func judge(ownLogIsLonger: Bool) {
        guard ownLogIsLonger else { return }
        add(
            .critical, "restored",
            "a peer holds more of this member's own log than this node: the folder looks restored, nothing is published"
        )
    }

    /// Why this node cannot do what the charter in force asks of it.
    mutating func judge(publishing problem: String) { add(.critical, "charter-keys", problem) }

    /// What is left where the node's folder is.
    ///
    /// - Parameter reserve: with less than this, nothing is published or fetched.
    mutating func judge(free: UInt64, reserve: UInt64 = 0) {
        if free < reserve {
            return add(
                .critical, "disk",
                "\(free >> 20) MiB are left on the disk of the node's folder, and \(reserve >> 20) are kept in reserve: nothing "
                    + "is published and no log is fetched until there is room")
        }
        guard free < Self.disk.low else { return }
        let level: Level = free < Self.disk.critical ? .critical : .attention
        add(level, "disk", "\(free >> 20) MiB are left on the disk of the node's folder")
    }

    /// The declarations of this member that registers are complete: those that lapse soon or have lapsed, and those beside
    /// which the register has changed.
    mutating func judge(declarations: [DeclarationStanding], now: Int64) {
        for one in declarations {
            let register = one.declaration.register
            switch one.notice(now: now) {
            case .over?:
                // Nothing takes a declaration back: one that is given up must not ask for attention for ever.
                guard now - one.declaration.validUntil.seconds < Self.lapsedFor else { continue }
                add(
                    .attention, "declaration-lapsed",
                    "the declaration that \(register) is complete has lapsed; declare it again with entente declare-complete "
                        + "\(register) --until DATE")
            case _?:
                let days = (one.declaration.validUntil.seconds - now) / 86_400
                add(
                    .attention, "declaration-lapses",
                    "the declaration that \(register) is complete lapses \(Self.when(days)); declare it again with entente "
                        + "declare-complete \(register) --until DATE")
            case nil:
                guard one.rows != one.declaration.rows else { continue }
                add(
                    .attention, "declaration-outdated",
                    "\(register) is declared complete with \(one.declaration.rows) rows and has \(one.rows); declare it "
                        + "again with entente declare-complete \(register) --until DATE")
            }
        }
    }

    /// By how much the clocks of peers differ, in seconds by title. A clock that differs from most is probably ours.
    mutating func judge(clocks: [(title: String, offset: Int64)]) {
        let wrong = clocks.filter { abs($0.offset) > Self.clock.noticed }
        guard let worst = wrong.map({ abs($0.offset) }).max() else { return }
        let level: Level = worst > Self.clock.critical ? .critical : .attention
        if wrong.count * 2 > clocks.count, clocks.count > 1 {
            return add(level, "clock", "this node's clock differs by up to \(worst) s from most peers'; is it right?")
        }
        let names = wrong.map { "\($0.title) (\($0.offset > 0 ? "+" : "")\($0.offset) s)" }.joined(separator: ", ")
        add(level, "peer-clock", "clocks that differ from this one: \(names)")
    }

    public var json: JSONValue {
        .array(
            concerns.map {
                ["level": .string($0.level.word), "code": .string($0.code), "text": .string($0.text)]
            })
    }
}
