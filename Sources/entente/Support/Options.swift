import ArgumentParser
import Foundation
import Node

/// How the command line finds the node.
struct NodeOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The node's folder. Default: $ENTENTE_DATA, else ./entente-data, else ~/.entente.", valueName: "folder"))
    var data: String?

    @Option(help: ArgumentHelp("The node's control socket. Default: as its configuration says.", valueName: "path"))
    var controlSocket: String?

    var flags: [Setting: [String]] {
        var flags: [Setting: [String]] = [:]
        if let data { flags[.data] = [data] }
        if let controlSocket { flags[.controlSocket] = [controlSocket] }
        return flags
    }

    /// Loads the settings with these flags and more.
    func load(_ more: [Setting: [String]] = [:]) throws -> LoadedSettings {
        try SettingsLoader.ofProcess(flags.merging(more) { $1 }).load()
    }
}

extension SettingsLoader {
    /// With the environment and folder of this process.
    static func ofProcess(_ flags: [Setting: [String]]) -> SettingsLoader {
        SettingsLoader(
            flags: flags, environment: ProcessInfo.processInfo.environment,
            currentFolder: FileManager.default.currentDirectoryPath)
    }
}

/// JSON instead of text.
struct OutputOptions: ParsableArguments {
    @Flag(help: "Print JSON for programs.")
    var json = false
}

/// Where private keys are and what unlocks them.
struct KeyOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The folder of the keys. Default: $ENTENTE_KEYS, else ./keys.", valueName: "folder"))
    var keys: String?

    @Option(
        help: ArgumentHelp(
            "Where the passphrase comes from: env:NAME, fd:N, file:PATH or prompt. "
                + "Default: $ENTENTE_PASSPHRASE_SOURCE, else $ENTENTE_PASSPHRASE itself, else prompt.",
            valueName: "source"))
    var passphrase: String?

    var folder: KeyFolder { Self.folder(keys) }

    /// The folder that was named, else `$ENTENTE_KEYS`, else `keys` here.
    static func folder(_ path: String?) -> KeyFolder {
        var path = path ?? ProcessInfo.processInfo.environment["ENTENTE_KEYS"] ?? "keys"
        while path.utf8.count > 1, path.hasSuffix("/") { path.removeLast() }
        return KeyFolder(path.isEmpty ? "keys" : path)
    }

    var source: PassphraseSource {
        get throws {
            let environment = ProcessInfo.processInfo.environment
            if let text = passphrase ?? environment[Setting.passphraseSource.variable] {
                return try PassphraseSource(argument: text)
            }
            return .standard(environment: environment)
        }
    }

    /// Obtains the passphrase.
    func unlock(_ what: String) throws -> Passphrase { try source.read(prompt: "Passphrase of \(what)") }

    /// Obtains a passphrase for new keys.
    func choose(_ what: String) throws -> Passphrase {
        try source.read(prompt: "New passphrase of \(what)", confirm: true)
    }
}

/// How one change is published: at once with an officer's key, or as a plan.
struct PublishingOptions: ParsableArguments {
    @Option(
        name: .customLong("sign-with"),
        help: ArgumentHelp("The key that signs, such as ayesha; for staff and nodes a root key.", valueName: "name"))
    var key: String?

    @Option(help: ArgumentHelp("Write a plan to this file instead of publishing.", valueName: "file"))
    var plan: String?

    @OptionGroup var keyOptions: KeyOptions

    func validate() throws {
        guard (key == nil) != (plan == nil) else {
            throw ValidationError("name the officer's key with --sign-with, or a plan to write with --plan")
        }
    }
}
