public import Hummingbird
import HummingbirdCore
public import Logging
import NIOCore
public import ServiceLifecycle

#if canImport(Glibc)
// The compiler takes `struct stat` for a declaration of this module, which includes the C header first.
import CoreFoundation
import Glibc
#else
import Darwin
#endif

/// The control socket of a node: HTTP/1.1 over a Unix domain socket that only the node's own user can reach.
///
/// The socket stands in a folder of mode 0700, so that there is no moment at which another user could connect, and gets
/// mode 0600 besides. A lock beside it (`SOCKET.lock`) tells a living node from what a dead one left behind.
public struct LocalListener<Responder: HTTPResponder>: Service, CustomStringConvertible
where Responder.Context: InitializableFromSource<ApplicationRequestContextSource> {
    /// What service groups log; never what is inside.
    public var description: String { "the local listener" }

    private let responder: Responder
    private let path: String
    private let maximumConnections: Int
    private let idleTimeout: Int64
    private let shutdownGrace: Int64
    private let logger: Logger
    private let onListening: @Sendable () async -> Void

    /// - Parameters:
    ///   - path: of the socket. Its folder is created with mode 0700 if it is missing.
    ///   - maximumConnections: further ones wait.
    ///   - idleTimeout: milliseconds without a byte between requests or within a request's body.
    ///   - shutdownGrace: milliseconds that open requests have to end.
    ///   - onListening: called once when connections are accepted.
    public init(
        responder: Responder, path: String, maximumConnections: Int = 64, idleTimeout: Int64 = 60_000,
        shutdownGrace: Int64 = 2_000, logger: Logger, onListening: @escaping @Sendable () async -> Void = {}
    ) {
        self.responder = responder
        self.path = path
        self.maximumConnections = maximumConnections
        self.idleTimeout = idleTimeout
        self.shutdownGrace = shutdownGrace
        self.logger = logger
        self.onListening = onListening
    }

    /// - Throws: ``TransportError`` with code `unsafePath`, `alreadyRunning`, `bind` or `stopped`; `CancellationError`.
    public func run() async throws {
        let socket = try LocalSocket(path: self.path)
        defer { socket.release() }
        let open = OpenChannels()
        let http = HTTP1Channel.Configuration(idleTimeout: .milliseconds(self.idleTimeout))
        let application = Application(
            responder: self.responder,
            server: HTTPServerBuilder { responder in
                TrackedChannel(base: HTTP1Channel(responder: responder, configuration: http), open: open)
            },
            configuration: .init(
                address: .unixDomainSocket(path: self.path),
                availableConnectionsDelegate: MaximumAvailableConnections(self.maximumConnections)),
            onServerRunning: { [path, onListening] _ in
                chmod(path, 0o600)
                await onListening()
            },
            logger: self.logger)
        try await ListenerLifetime(
            name: "control socket \(self.path)", grace: self.shutdownGrace, open: open, logger: self.logger
        ).run(application)
    }
}

/// The right to listen at a path, held by a lock on a file beside it.
struct LocalSocket {
    /// `sun_path` has 108 bytes on Linux and 104 on macOS, with a NUL at the end.
    static let maximumPathByteCount = 103

    private let path: String
    private let lock: Int32

    /// Takes the lock and removes what a dead node left behind.
    init(path: String) throws(TransportError) {
        guard path.utf8.count <= Self.maximumPathByteCount else {
            throw TransportError(
                .unsafePath,
                "\(path): a socket's path has at most \(Self.maximumPathByteCount) bytes; choose a shorter one")
        }
        try Self.prepareFolder(PrivateFile.folder(of: path))
        let lock = open("\(path).lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard lock >= 0 else {
            throw TransportError(.unsafePath, "\(path).lock: \(PrivateFile.systemMessage(errno))")
        }
        do throws(TransportError) {
            guard flock(lock, LOCK_EX | LOCK_NB) == 0 else { throw Self.alreadyRunning(path) }
            try Self.removeStale(path)
        } catch {
            close(lock)
            throw error
        }
        self.path = path
        self.lock = lock
    }

    /// Gives up the path; the lock file stays, so that no two processes ever lock different files of that name.
    func release() {
        unlink(self.path)
        close(self.lock)
    }

    private static func prepareFolder(_ folder: String) throws(TransportError) {
        if mkdir(folder, 0o700) != 0 && errno != EEXIST {
            throw TransportError(.unsafePath, "\(folder): \(PrivateFile.systemMessage(errno))")
        }
        var status = stat()
        guard lstat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid(),
            status.st_mode & 0o077 == 0
        else {
            throw TransportError(
                .unsafePath,
                "\(folder): the folder of the control socket must belong to this user alone; run: chmod 700 '\(folder)'"
            )
        }
    }

    private static func removeStale(_ path: String) throws(TransportError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw TransportError(.unsafePath, "\(path): there is something else than a socket in its place")
        }
        // Another program may listen there without our lock.
        guard !Self.isListening(path) else { throw Self.alreadyRunning(path) }
        unlink(path)
    }

    private static func isListening(_ path: String) -> Bool {
        #if canImport(Glibc)
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        #else
        let descriptor = socket(AF_UNIX, SOCK_STREAM, 0)
        #endif
        guard descriptor >= 0 else { return true }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        return result == 0 || errno != ECONNREFUSED
    }

    private static func alreadyRunning(_ path: String) -> TransportError {
        TransportError(.alreadyRunning, "\(path): another node is running there; stop it first, or give another folder")
    }
}
