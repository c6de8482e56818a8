import Alliance
import Foundation
import Logging
public import Store
import TransparencyLog

/// `entente fsck`: checks the data folder of a node that does not run, and repairs it where asked.
public struct FolderCheck: Sendable {
    /// How a check is made.
    public struct Options: Sendable {
        /// Leaves out signatures and counting; documents are looked at by their sizes only.
        public var isQuick: Bool

        /// A full check.
        public init(isQuick: Bool = false) { self.isQuick = isQuick }
    }

    /// What was found.
    public struct Outcome: Sendable {
        public let report: AuditReport
        /// What a repair did; nil where none was asked for. ``report`` is then what is left.
        public let repair: RepairReport?
        /// Seconds that it took.
        public let seconds: Double
        /// The member whose folder it is.
        public let member: String
    }

    private let settings: NodeSettings
    private let options: Options

    /// A check of the folder that these settings name.
    public init(settings: NodeSettings, options: Options) {
        self.settings = settings
        self.options = options
    }

    /// Checks everything and changes nothing.
    ///
    /// - Parameter progress: told now and then how far the check is, for people.
    /// - Throws: ``Store/StoreError`` or ``NodeError`` where the folder cannot be checked at all.
    public func run(progress: @escaping (String) -> Void = { _ in }) throws -> Outcome {
        let start = ContinuousClock.now
        let charter = try loadCharter()
        let audit = try audit(charter, progress)
        let report = try audit.run()
        return Outcome(report: report, repair: nil, seconds: Self.seconds(since: start), member: settings.member)
    }

    /// Repairs what can be repaired, and checks again. Peers are asked for what cannot be derived.
    ///
    /// - Parameters:
    ///   - passphrase: opens the node's TLS key; nil where no peer is to be asked.
    ///   - progress: told now and then how far the check is, for people.
    /// - Throws: ``Store/StoreError`` or ``NodeError`` where the folder cannot be checked at all, and errors of keys.
    public func repair(
        passphrase: Passphrase?, progress: @escaping (String) -> Void = { _ in }
    ) async throws -> Outcome {
        let start = ContinuousClock.now
        let charter = try loadCharter()
        let audit = try audit(charter, progress)
        let format = settings.logFormat
        let logger = Logger(label: "entente") { _ in NodeLogHandler(format: format, level: .error) }
        let source = try passphrase.map {
            try PeerSource(settings: settings, charter: charter, passphrase: $0, logger: logger)
        }
        let result: RepairReport
        do { result = try await audit.repair(from: source) } catch {
            await source?.shutdown()
            throw error
        }
        await source?.shutdown()
        return Outcome(
            report: result.after, repair: result, seconds: Self.seconds(since: start), member: settings.member)
    }

    func audit(_ charter: VerifiedCharter, _ progress: @escaping (String) -> Void) throws -> FolderAudit {
        let chain = chain(from: charter)
        guard let member = chain.current.charter.member(named: settings.member) else {
            throw NodeError("\(settings.charterPath) has no member \(settings.member)")
        }
        return try FolderAudit(
            folder: settings.data, chain: chain,
            options: AuditOptions(member: member.id, isQuick: options.isQuick), check: EntryChecking.checkNow,
            progress: { progress($0.text) })
    }

    func loadCharter() throws -> VerifiedCharter {
        guard let file = FileManager.default.contents(atPath: settings.charterPath) else {
            throw NodeError("\(settings.charterPath) cannot be read: without the charter nothing can be checked")
        }
        do { return try SignedCharter(parsing: [UInt8](file)).verifyFirst() } catch {
            throw NodeError("\(settings.charterPath): \(error); put the charter that every member has there again")
        }
    }

    /// With the later charters that the folder holds; one that is damaged is left out, and peers have it.
    func chain(from first: VerifiedCharter) -> CharterChain {
        var chain = CharterChain(first)
        for file in FolderAudit.storedCharters(folder: settings.data) {
            if let signed = try? SignedCharter(parsing: file) { _ = try? chain.add(signed) }
        }
        return chain
    }

    static func seconds(since start: ContinuousClock.Instant) -> Double {
        let duration = (ContinuousClock.now - start).components
        return Double(duration.seconds) + Double(duration.attoseconds) / 1e18
    }
}
