import Alliance
import Hummingbird
import NIOCore
import Store

#if canImport(Glibc)
import CoreFoundation
import Glibc
#else
import Darwin
#endif

// A running node hands its database, as of one moment, to `entente backup` over its control socket: lines of JSON that
// tell how far the copy is, `{"done":…,"total":…}`; then one with the copy's size, `{"size":…}`, and its bytes. Where
// the node cannot make the copy, the last line is `{"error":…}`.

extension LocalRoutes {
    /// The answer that brings a copy of the database.
    func snapshot() -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/octet-stream"],
            body: ResponseBody { [store] writer in
                let path = store.documents.temporaryPath()
                defer { unlink(path) }
                if let reason = try await Self.copy(store, to: path, telling: &writer) {
                    try await writer.write(Self.line(["error": .string(reason)]))
                } else {
                    let reader = try Self.opened(path)
                    // Open, it needs no name any more: nothing stays if the node is killed now.
                    unlink(path)
                    try await writer.write(Self.line(["size": .integer(reader.size)]))
                    while let piece = try Self.piece(reader.file) { try await writer.write(piece) }
                }
                try await writer.finish(nil)
            })
    }

    /// Makes the copy; gives the reason why it could not be made.
    @concurrent
    private static func copy(
        _ store: Store, to path: String, telling writer: inout any ResponseBodyWriter
    ) async throws -> String? {
        let (steps, sink) = AsyncStream.makeStream(of: DatabaseCopy.Progress.self, bufferingPolicy: .bufferingNewest(1))
        async let outcome = made(store, path, sink)
        for await step in steps {
            try await writer.write(line(["done": .integer(step.done), "total": .integer(step.total)]))
        }
        return await outcome
    }

    private static func made(
        _ store: Store, _ path: String, _ sink: AsyncStream<DatabaseCopy.Progress>.Continuation
    ) async -> String? {
        defer { sink.finish() }
        do {
            try await store.copyDatabase(to: path) { step in
                // Whoever asked is gone.
                if case .terminated = sink.yield(step) { throw CancellationError() }
            }
            return nil
        } catch {
            return "\(error)"
        }
    }

    private static func line(_ object: JSONObject) -> ByteBuffer {
        ByteBuffer(bytes: JSONValue.object(object).encoded() + [0x0A])
    }

    private static func opened(_ path: String) throws -> (file: DocumentFile.Reader, size: Int64) {
        (try DocumentFile.Reader(path), FileFacts.size(path))
    }

    private static func piece(_ file: DocumentFile.Reader) throws -> ByteBuffer? {
        try file.next().map { ByteBuffer(bytes: $0) }
    }
}

/// Writes what ``LocalRoutes/snapshot()`` sends into a file.
struct SnapshotReceiver {
    private let file: OutputFile
    private let node: String
    private var line: [UInt8] = []
    /// Bytes of the copy that are still to come; nil before its size is known.
    private var left: Int64?

    private static let lineLimit = 4_096

    /// - Parameter node: the control socket, for what is said where something is wrong.
    init(path: String, node: String) throws {
        file = try OutputFile(path)
        self.node = node
    }

    /// Takes the next piece.
    mutating func take(_ bytes: [UInt8], _ progress: (_ done: Int64, _ total: Int64) -> Void) throws {
        var rest = bytes[...]
        while left == nil, let byte = rest.popFirst() {
            if byte != 0x0A {
                line.append(byte)
                guard line.count <= Self.lineLimit else { throw malformed }
                continue
            }
            let value = (try? JSONValue.parse(line)) ?? .null
            line = []
            if let reason = value["error"]?.string {
                throw SetupError(.unreadable, node, "the node cannot copy its database: \(reason)")
            } else if let size = value["size"]?.integer, size > 0 {
                left = size
            } else if let done = value["done"]?.integer, let total = value["total"]?.integer {
                progress(done, total)
            } else {
                throw malformed
            }
        }
        guard let open = left, !rest.isEmpty else { return }
        guard rest.count <= open else { throw malformed }
        try file.write(Array(rest))
        left = open - Int64(rest.count)
    }

    /// Makes sure that all has come.
    func finish() throws {
        guard left == 0 else {
            throw SetupError(.unreadable, node, "the node ended before all of its database had come; try again")
        }
    }

    private var malformed: SetupError {
        SetupError(.malformed, node, "the node's answer is no copy of a database; is it of this version of Entente?")
    }
}
