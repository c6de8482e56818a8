import Alliance
import Configuration
import Logging

/// The settings, and where each came from.
public struct LoadedSettings: Sendable {
    public let settings: NodeSettings
    /// Every setting in the order of ``Setting``.
    public let entries: [Entry]

    /// One setting as it is in force.
    public struct Entry: Sendable, Hashable {
        public let setting: Setting
        /// For people; a proxy's password is not in it.
        public let value: String
        /// The items, for a list.
        public let items: [String]
        public let source: SettingSource
    }
}

/// Gathers the settings: flags before environment before the configuration file before defaults.
public struct SettingsLoader: Sendable {
    private let flags: [Setting: [String]]
    private let environment: [String: String]
    private let currentFolder: String

    /// Bytes of a configuration file.
    public static let fileLimit = 1 << 20
    /// Items of a list.
    static let listLimit = 256

    /// - Parameters:
    ///   - flags: what the command line gave; one value each, but for lists.
    ///   - environment: all variables.
    ///   - currentFolder: an absolute path.
    public init(flags: [Setting: [String]], environment: [String: String], currentFolder: String) {
        self.flags = flags
        self.environment = environment
        self.currentFolder = currentFolder
    }

    /// The data folder: `--data`, else `ENTENTE_DATA`, else `entente-data` here if there is one, else `.entente` at home.
    ///
    /// - Parameter exists: whether a path is a folder.
    public func dataFolder(exists: (String) -> Bool) -> (path: String, source: SettingSource) {
        if let path = flags[.data]?.last, !path.isEmpty { return (absolute(path), .flag(Setting.data.flag)) }
        if let path = environment[Setting.data.variable], !path.isEmpty {
            return (absolute(path), .environment(Setting.data.variable))
        }
        let local = "\(currentFolder)/entente-data"
        if exists(local) { return (local, .standard) }
        return ("\(environment["HOME"] ?? currentFolder)/.entente", .standard)
    }

    /// Where a new node's folder goes: as ``dataFolder(exists:)``, but `entente-data` here if nothing is said.
    public var newDataFolder: String {
        let (path, source) = dataFolder { _ in true }
        return source == .standard ? "\(currentFolder)/entente-data" : path
    }

    /// Reads and checks everything.
    ///
    /// - Throws: ``SettingsError``; code `noNode` if the folder has no configuration file.
    public func load() throws(SettingsError) -> LoadedSettings {
        let (data, dataSource) = dataFolder(exists: FileFacts.isFolder)
        let path = "\(data)/config.json"
        guard FileFacts.exists(path) else {
            throw SettingsError(
                .noNode, data, "there is no node here; make one with entente init, or name its folder with --data")
        }
        let file: [UInt8]
        do {
            file = try PrivateFile.read(path, limit: Self.fileLimit, isPrivate: false)
        } catch {
            throw SettingsError(.file, path, error.reason)
        }
        return try read(file, data: data, source: dataSource)
    }

    /// As ``load()``, from the bytes of the configuration file in the folder `data`, an absolute path.
    ///
    /// - Throws: ``SettingsError``.
    public func read(
        _ file: [UInt8], data: String, source: SettingSource = .standard
    ) throws(SettingsError) -> LoadedSettings {
        let path = "\(data)/config.json"
        let values = try fileValues(file, path: path)
        var found = lookUp(file: values, path: path)
        found[.data] = ([data], source)
        let parser = SettingsParser(
            values: found, standardPassphrase: .standard(environment: environment), absolute: absolute)
        let settings = try parser.parse(data: data)
        return LoadedSettings(settings: settings, entries: Self.entries(settings, sources: found.mapValues(\.1)))
    }

    /// A path from this folder, without slashes at its end.
    public func absolute(_ path: String) -> String {
        var full = path.hasPrefix("/") ? path : "\(currentFolder)/\(path)"
        while full.count > 1, full.hasSuffix("/") { full.removeLast() }
        return full
    }

    /// The file's settings: JSON of known names and fitting types, each as text.
    private func fileValues(_ bytes: [UInt8], path: String) throws(SettingsError) -> [Setting: [String]] {
        let value: JSONValue
        do { value = try JSONValue.parse(bytes) } catch { throw SettingsError(.file, path, "\(error)") }
        guard let object = value.object else { throw SettingsError(.file, path, "must be a JSON object") }
        var values: [Setting: [String]] = [:]
        for member in object.members {
            guard let setting = Setting(rawValue: member.name), setting.standsInFile else {
                let known = Setting.allCases.filter(\.standsInFile).map(\.name).joined(separator: ", ")
                throw SettingsError(.unknownKey, "\(path), \(member.name)", "is no setting; known are: \(known)")
            }
            values[setting] = try Self.texts(member.value, of: setting, place: "\(path), \(member.name)")
        }
        return values
    }

    private static func texts(_ value: JSONValue, of setting: Setting, place: String) throws(SettingsError) -> [String]
    {
        switch value {
        case .array(let items) where setting.isList:
            guard items.count <= listLimit else { throw SettingsError(.badValue, place, "at most \(listLimit) items") }
            return try items.map { item throws(SettingsError) in
                guard let text = item.string else { throw SettingsError(.badValue, place, "must be a list of texts") }
                return text
            }
        case .integer(let number) where setting.isNumber: return [String(number)]
        case .string(let text) where !setting.isNumber && !setting.isList: return [text]
        default:
            let due = setting.isList ? "a list of texts" : setting.isNumber ? "a whole number" : "a text"
            throw SettingsError(.badValue, place, "must be \(due)")
        }
    }

    private static func key(_ setting: Setting) -> ConfigKey { ConfigKey(["entente", setting.name]) }

    /// Asks swift-configuration for every setting, and keeps which provider answered.
    private func lookUp(file: [Setting: [String]], path: String) -> [Setting: ([String], SettingSource)] {
        func provider(_ name: String, _ values: [Setting: [String]]) -> InMemoryProvider {
            var contents: [AbsoluteConfigKey: ConfigValue] = [:]
            for (setting, texts) in values {
                let content: ConfigContent = setting.isList ? .stringArray(texts) : .string(texts.last ?? "")
                contents[AbsoluteConfigKey(Self.key(setting))] = ConfigValue(content, isSecret: false)
            }
            return InMemoryProvider(name: name, values: contents)
        }
        let recorder = SourceRecorder()
        let reader = ConfigReader(
            providers: [
                provider("flags", flags), EnvironmentVariablesProvider(environmentVariables: environment),
                provider("file", file),
            ],
            accessReporter: recorder)
        var found: [Setting: ([String], SettingSource)] = [:]
        for setting in Setting.allCases where setting.standsInFile {
            let texts =
                setting.isList
                ? reader.stringArray(forKey: Self.key(setting)) : reader.string(forKey: Self.key(setting)).map { [$0] }
            guard let texts else { continue }
            let source: SettingSource =
                switch recorder.takeAnswer() {
                case 0?: .flag(setting.flag)
                case 1?: .environment(setting.variable)
                case 2?: .file(path)
                default: .standard
                }
            found[setting] = (texts, source)
        }
        return found
    }

    private static func entries(_ settings: NodeSettings, sources: [Setting: SettingSource]) -> [LoadedSettings.Entry] {
        Setting.allCases.map { setting in
            let items = settings.texts(of: setting)
            let value = items.isEmpty ? "none" : items.joined(separator: ", ")
            return LoadedSettings.Entry(
                setting: setting, value: value, items: items, source: sources[setting] ?? .standard)
        }
    }
}

/// Keeps the position of the provider that answered the last question.
private final class SourceRecorder: AccessReporter {
    private let answer = Mutexed<Int?>(nil)

    func report(_ event: AccessEvent) {
        let position = event.providerResults.firstIndex { result in
            if case .success(let lookup) = result.result { lookup.value != nil } else { false }
        }
        answer.withLock { $0 = position }
    }

    func takeAnswer() -> Int? {
        answer.withLock { answer in
            defer { answer = nil }
            return answer
        }
    }
}

extension NodeSettings {
    /// A setting's value as texts: one, or those of a list.
    func texts(of setting: Setting) -> [String] {
        switch setting {
        case .data: [data]
        case .member: [member]
        case .node: [node]
        case .listen: [listen?.description ?? "none"]
        case .advertise: advertise
        case .peers: peers.map(\.description)
        case .proxy: proxy.map { [$0.description] } ?? []
        case .passphraseSource: [passphraseSource.argument]
        case .authorityKey: authorityKey.map { [$0] } ?? []
        case .logLevel: [logLevel.rawValue]
        case .logFormat: [logFormat.rawValue]
        case .maximumConnections: [String(maximumConnections)]
        case .maximumConnectionsPerMember: [String(maximumConnectionsPerMember)]
        case .exchangeInterval: [String(exchangeInterval)]
        case .diskReserve: [String(diskReserve)]
        case .memberEntriesPerMinute: [String(memberLimits.entriesPerMinute)]
        case .memberMebibytesPerMinute: [String(memberLimits.mebibytesPerMinute)]
        case .memberEntriesPerDay: [String(memberLimits.entriesPerDay)]
        case .memberMebibytesPerDay: [String(memberLimits.mebibytesPerDay)]
        case .controlSocket: [controlSocket]
        }
    }
}

extension PassphraseSource {
    /// As ``init(argument:)`` reads it.
    public var argument: String {
        switch self {
        case .environment(let name): "env:\(name)"
        case .descriptor(let number): "fd:\(number)"
        case .file(let path): "file:\(path)"
        case .terminal: "prompt"
        }
    }

    /// The variable that holds the passphrase itself, for automation.
    public static let standardVariable = "ENTENTE_PASSPHRASE"

    /// What is used where nothing is said: `ENTENTE_PASSPHRASE` if it is set, else the terminal.
    public static func standard(environment: [String: String]) -> PassphraseSource {
        environment[standardVariable] == nil ? .terminal : .environment(standardVariable)
    }
}
