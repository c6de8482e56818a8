import Alliance
import ArgumentParser
import Node

struct BackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Put a node, running or not, into one file.",
        discussion: """
            The database as of one moment, the documents held, charters, configuration, certificates, the first roster and \
            the audit record, as a plain tar file with a manifest. The copy is checked before the file gets its name; \
            whatever interrupts it, nothing half-done stays under that name. Private keys are left out without --with-keys: \
            they are encrypted, but whoever has them and the passphrase can sign.

            Beside FILE as much room is needed again as the database takes, and while a node runs also in its folder.

            Examples:
              entente backup /mnt/backup/pk-1122.tar
              entente backup /mnt/backup/pk.tar --overwrite --json
              entente restore /mnt/backup/pk.tar --data /var/lib/entente
            """)

    @Argument(help: ArgumentHelp("The file to write.", valueName: "file"))
    var file: String
    @Flag(help: "Put the node's private keys into it, encrypted as they are.")
    var withKeys = false
    @Flag(help: "Replace a file that stands there.")
    var overwrite = false
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let settings = try node.load().settings
        let path = SettingsLoader.ofProcess([:]).absolute(file)
        let backup = Backup(settings: settings, file: path, withKeys: withKeys, overwrite: overwrite)
        let outcome = try await backup.run(progress: Console.steps())
        Console.clearProgress()
        let manifest = outcome.manifest
        let left = manifest.hasKeys ? [] : ["keys"]
        if output.json {
            var object = manifest.summary
            object["file"] = .string(path)
            object["size"] = .integer(outcome.size)
            object["files"] = .integer(Int64(manifest.files.count))
            object["running"] = .bool(outcome.wasRunning)
            object["notIncluded"] = .array(left.map { .string($0) })
            Console.print(.object(object))
            return
        }
        let documents = manifest.files.count { $0.path.hasPrefix("documents/") }
        Console.print([
            "\(path): \(outcome.size) bytes, checked",
            "\(manifest.member)'s node as of \(Timestamp(seconds: manifest.time).text): "
                + "\(manifest.ownSize) entries of its own log, \(manifest.logs.count) logs, \(documents) documents, "
                + "charter version \(manifest.charterVersion)",
            manifest.hasKeys
                ? "The private keys are in it, encrypted: keep it like the keys themselves."
                : "Not in it: the private keys (\(settings.keysFolder)). Keep copies of them apart, or say --with-keys.",
        ])
    }
}

struct RestoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Make a node's folder out of a backup.",
        discussion: """
            Every file is checked against the manifest while it is read; the folder is made whole or not at all, and checked \
            as entente fsck --quick does. A file named restored in it tells the node that its own log may be longer \
            elsewhere: the node asks the other members before it signs anything. Leave it where it is.

            Examples:
              entente restore /mnt/backup/pk.tar --data /var/lib/entente
            """)

    @Argument(help: ArgumentHelp("The backup.", valueName: "file"))
    var file: String
    @Option(help: ArgumentHelp("The folder to make. There is nothing there, or an empty folder.", valueName: "folder"))
    var data: String
    @Flag(help: "Do not check what was restored.")
    var noCheck = false
    @OptionGroup var output: OutputOptions

    func run() throws {
        let loader = SettingsLoader.ofProcess([:])
        let folder = loader.absolute(data)
        let restore = Restore(file: loader.absolute(file), folder: folder, check: !noCheck)
        let outcome = try restore.run(progress: Console.steps())
        Console.clearProgress()
        let manifest = outcome.manifest
        if output.json {
            var object = manifest.summary
            object["folder"] = .string(folder)
            object["checked"] = .bool(outcome.isChecked)
            object["missing"] = .array(outcome.missing.map { .string($0) })
            Console.print(.object(object))
            return
        }
        var lines = [
            "\(folder): \(manifest.member)'s node as of \(Timestamp(seconds: manifest.time).text), "
                + "\(manifest.ownSize) entries of its own log\(outcome.isChecked ? ", checked" : ", NOT checked")"
        ]
        if !outcome.missing.isEmpty {
            lines += [
                "Missing, because the backup does not hold them: \(outcome.missing.joined(separator: ", "))",
                "Put them there from where you keep them, with mode 600.",
            ]
        }
        lines += [
            "Make sure that no other copy of this node runs, or will ever run again.",
            "Then: entente node --data \(folder)",
            "The node asks every other member for newer entries of its log before it signs; leave the file restored there.",
        ]
        Console.print(lines)
    }
}
