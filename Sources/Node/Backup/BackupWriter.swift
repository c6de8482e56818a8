import Alliance
import Crypto
import Store
import TransparencyLog

#if canImport(Glibc)
import CoreFoundation
import Glibc
#else
import Darwin
#endif

/// Checks the copy of a database, and makes the archive around it.
struct BackupWriter {
    let settings: NodeSettings
    let work: BackupWork
    let withKeys: Bool
    /// When the copy was made, in seconds since 1970.
    let time: Int64

    /// A file that goes into the archive.
    private struct Source {
        /// In the archive.
        let path: String
        /// On the disk.
        let place: String
    }

    func run(wasRunning: Bool, progress: @escaping (String) -> Void) throws -> Backup.Outcome {
        progress("checking the copy")
        let facts = try DatabaseCopy.check("\(work.folder)/entente.sqlite")
        guard facts.isCurrent else {
            throw SetupError(
                .mismatch, settings.data,
                "its database is of an older version of Entente; start the node once, or make the backup with that version"
            )
        }
        try linkNeeded()
        try check(progress)
        var manifest = try manifest(facts)
        let sources = try sources()
        let mark = RestoredMark(manifest).bytes
        var files = [
            BackupManifest.File(path: RestoredMark.path, size: Int64(mark.count), digest: HashValue.sha256(mark))
        ]
        let total = sources.reduce(0) { $0 + FileFacts.size($1.place) }
        var done: Int64 = 0
        func tell(_ what: String) -> (Int64) -> Void {
            { bytes in
                done += bytes
                progress("\(what): \(done >> 20) of \(total >> 20) MB")
            }
        }
        for source in sources { files.append(try Self.inspect(source, tell("reading files"))) }
        manifest.files = files
        let head = manifest.bytes
        guard head.count <= BackupManifest.limit else {
            throw SetupError(.limit, settings.documentsFolder, "holds more documents than a backup can list")
        }
        let archive = try OutputFile(work.archive)
        var writer = TarWriter(archive, time: time)
        try writer.add(BackupManifest.path, head)
        try writer.add(RestoredMark.path, mark)
        done = 0
        for (source, file) in zip(sources, files.dropFirst()) {
            let digest = try writer.add(file.path, from: source.place, size: file.size, tell("writing"))
            guard digest == file.digest else {
                throw SetupError(.unreadable, source.place, "the file changed while it was read; try again")
            }
        }
        try writer.finish()
        return Backup.Outcome(manifest: manifest, size: writer.size, wasRunning: wasRunning)
    }

    /// What fsck needs beside the database.
    private func linkNeeded() throws(SetupError) {
        for name in ["charter", "documents"] {
            guard symlink("\(settings.data)/\(name)", "\(work.folder)/\(name)") == 0 else {
                let code = errno
                let advice =
                    code == EPERM ? "; a disk without links cannot take it: make it elsewhere and copy it there" : ""
                throw SetupError(
                    .unwritable, "\(work.folder)/\(name)", PrivateFile.systemMessage(code) + advice)
            }
        }
    }

    private func check(_ progress: @escaping (String) -> Void) throws {
        var copied = settings
        copied.data = work.folder
        let outcome = try FolderCheck(settings: copied, options: .init(isQuick: true)).run {
            progress("the copy: \($0)")
        }
        guard !outcome.isDamaged else {
            let first = outcome.lines.prefix(2).joined(separator: " ")
            throw SetupError(
                .mismatch, settings.data,
                "what the node holds is damaged, so no backup was made (\(first)); stop the node and run entente fsck --repair"
            )
        }
    }

    private func manifest(_ facts: DatabaseCopy.Facts) throws -> BackupManifest {
        var chain = CharterChain(try CharterFolder.first(settings))
        for file in facts.charters {
            if let signed = try? SignedCharter(parsing: file) { _ = try? chain.add(signed) }
        }
        let charter = chain.current
        guard let member = charter.charter.member(named: settings.member) else {
            throw NodeError("charter version \(charter.charter.version) has no member \(settings.member)")
        }
        return BackupManifest(
            time: time, member: member.name, id: member.id, origin: member.log.name,
            charterVersion: charter.charter.version, charterDigest: charter.digest, hasKeys: withKeys,
            logs: facts.logs.map { BackupManifest.Log(origin: $0.origin, size: Int64(clamping: $0.size)) }, files: [])
    }

    /// Every file but the manifest and the mark, the small ones first.
    private func sources() throws(SetupError) -> [Source] {
        var sources: [Source] = []
        for name in ["config.json", "charter", "roster.jws", "audit.jsonl"]
        where FileFacts.isFile("\(settings.data)/\(name)") {
            sources.append(Source(path: name, place: "\(settings.data)/\(name)"))
        }
        for folder in ["charters", "tls"] + (withKeys ? ["keys"] : []) {
            for name in FileFacts.names(in: "\(settings.data)/\(folder)") ?? []
            where BackupManifest.isPlain(name) && FileFacts.isFile("\(settings.data)/\(folder)/\(name)") {
                sources.append(Source(path: "\(folder)/\(name)", place: "\(settings.data)/\(folder)/\(name)"))
            }
        }
        sources.append(Source(path: "entente.sqlite", place: "\(work.folder)/entente.sqlite"))
        for group in FileFacts.names(in: settings.documentsFolder) ?? [] {
            for name in FileFacts.names(in: "\(settings.documentsFolder)/\(group)") ?? [] {
                let path = "documents/\(group)/\(name)"
                if BackupManifest.isAllowed(path) {
                    sources.append(Source(path: path, place: "\(settings.documentsFolder)/\(group)/\(name)"))
                }
            }
        }
        return sources
    }

    /// The size and digest of a file as it goes into the archive.
    private static func inspect(
        _ source: Source, _ progress: (Int64) -> Void
    ) throws(SetupError) -> BackupManifest.File {
        var size = FileFacts.size(source.place)
        // The running node adds lines to its audit record; what is taken ends with a whole one.
        if source.path == "audit.jsonl" { size = try lines(source.place, size) }
        var hash = SHA256()
        try FilePieces.read(source.place, size: size) { (piece: [UInt8]) throws(SetupError) in
            hash.update(data: piece)
            progress(Int64(piece.count))
        }
        let digest = HashValue(hash.finalize()) ?? .zero
        if source.path.hasPrefix("documents/"), !source.path.hasSuffix(digest.hex) {
            throw SetupError(
                .mismatch, source.place,
                "the document is damaged, so no backup was made; stop the node and run entente fsck --repair")
        }
        return BackupManifest.File(path: source.path, size: size, digest: digest)
    }

    /// Bytes of a file's whole lines.
    private static func lines(_ path: String, _ size: Int64) throws(SetupError) -> Int64 {
        var (end, offset): (Int64, Int64) = (0, 0)
        try FilePieces.read(path, size: size) { (piece: [UInt8]) throws(SetupError) in
            if let newline = piece.lastIndex(of: 0x0A) { end = offset + Int64(newline) + 1 }
            offset += Int64(piece.count)
        }
        return end
    }
}
