import Foundation
import Logging
import Replication
import Testing

@testable import Node

/// Where settings come from, which source wins, and what is refused.
struct SettingsTests {
    private func load(
        _ file: String, in folder: String, flags: [Setting: [String]] = [:], environment: [String: String] = [:]
    ) throws -> LoadedSettings {
        try Data(file.utf8).write(to: URL(fileURLWithPath: "\(folder)/config.json"))
        var flags = flags
        flags[.data] = [folder]
        return try SettingsLoader(flags: flags, environment: environment, currentFolder: "/").load()
    }

    private func source(of setting: Setting, _ loaded: LoadedSettings) -> SettingSource? {
        loaded.entries.first { $0.setting == setting }?.source
    }

    @Test func flagsComeBeforeEnvironmentBeforeFileBeforeDefaults() async throws {
        try await withFolder { folder in
            let file = #"{"member":"pk","listen":"1.1.1.1:1","logLevel":"debug","logFormat":"json"}"#
            let loaded = try load(
                file, in: folder, flags: [.listen: ["3.3.3.3:3"]],
                environment: [
                    "ENTENTE_LISTEN": "2.2.2.2:2", "ENTENTE_LOG_LEVEL": "error", "ENTENTE_DATA": "/elsewhere",
                ])
            let settings = loaded.settings
            #expect(settings.listen == PeerAddress(host: "3.3.3.3", port: 3))
            #expect(source(of: .listen, loaded) == .flag("--listen"))
            #expect(settings.logLevel == .error)
            #expect(source(of: .logLevel, loaded) == .environment("ENTENTE_LOG_LEVEL"))
            #expect(settings.logFormat == .json)
            #expect(source(of: .logFormat, loaded) == .file("\(folder)/config.json"))
            #expect(settings.maximumConnections == 512)
            #expect(source(of: .maximumConnections, loaded) == .standard)
            #expect(source(of: .data, loaded) == .flag("--data"))
            #expect(loaded.entries.map(\.setting) == Setting.allCases)
        }
    }

    @Test func limitsOfMembers() async throws {
        try await withFolder { folder in
            let standard = try load(#"{"member":"pk"}"#, in: folder).settings.memberLimits
            #expect(standard == NodeSettings.MemberLimits())
            let file = #"{"member":"pk","memberEntriesPerDay":7,"memberMebibytesPerDay":0}"#
            let environment = ["ENTENTE_MEMBER_MEBIBYTES_PER_MINUTE": "5", "ENTENTE_MEMBER_ENTRIES_PER_MINUTE": "6"]
            let quota = QuotaSettings(try load(file, in: folder, environment: environment).settings.memberLimits)
            #expect(quota.entriesPerDay == 7 && quota.bytesPerDay == 0)
            #expect(quota.bytesPerMinute == 5 << 20 && quota.entriesPerMinute == 6)
            // The largest of each can be used.
            let largest =
                #"{"member":"pk","memberEntriesPerMinute":1000000000,"memberMebibytesPerMinute":6400,"#
                + #""memberEntriesPerDay":6000000000,"memberMebibytesPerDay":65536}"#
            var settings = ReplicationSettings()
            settings.quota = QuotaSettings(try load(largest, in: folder).settings.memberLimits)
            #expect(settings.problem == nil)
            #expect(throws: SettingsError.self) {
                try load(#"{"member":"pk","memberMebibytesPerDay":65537}"#, in: folder)
            }
        }
    }

    @Test func listsAreArraysInTheFileAndSeparatedByCommasInTheEnvironment() async throws {
        try await withFolder { folder in
            let file = #"{"member":"pk","peers":["sv=a:1","us=[::1]:2"]}"#
            let fromFile = try load(file, in: folder).settings.peers
            #expect(fromFile.map(\.description) == ["sv=a:1", "us=[::1]:2"])
            let fromEnvironment = try load(file, in: folder, environment: ["ENTENTE_PEERS": "imf=b:3,sv=c:4"]).settings
                .peers
            #expect(fromEnvironment.map(\.description) == ["imf=b:3", "sv=c:4"])
        }
    }

    @Test(arguments: [
        (#"{"member":"pk","surprise":1}"#, SettingsError.Code.unknownKey, "surprise"),
        (#"{"member":"pk","data":"x"}"#, .unknownKey, "data"),
        (#"{"member":"pk","member":"sv"}"#, .file, "config.json"),
        (#"{"listen":"none"}"#, .badValue, "member"),
        (#"{"member":"pk","maximumConnections":"9"}"#, .badValue, "maximumConnections"),
        (#"{"member":"pk","maximumConnections":0}"#, .badValue, "maximumConnections"),
        (#"{"member":"pk","peers":"sv=a:1"}"#, .badValue, "peers"),
        (#"{"member":"pk","peers":["sv"]}"#, .badValue, "peers"),
        (#"{"member":"pk","listen":"a"}"#, .badValue, "listen"),
        (#"{"member":"pk","logLevel":"loud"}"#, .badValue, "logLevel"),
        (#"{"member":"pk"} {}"#, .file, "config.json"),
        (#"[]"#, .file, "config.json"),
    ])
    func whatCannotBeIsOneErrorThatNamesFileAndKey(file: String, code: SettingsError.Code, word: String) async throws {
        try await withFolder { folder in
            let error = #expect(throws: SettingsError.self) { try load(file, in: folder) }
            #expect(error?.code == code)
            #expect(error?.place.contains(word) == true)
            #expect(error?.description.contains("\n") == false)
        }
    }

    @Test func aFolderWithoutConfigurationIsNoNode() async throws {
        try await withFolder { folder in
            let loader = SettingsLoader(flags: [.data: [folder]], environment: [:], currentFolder: "/")
            #expect(throws: SettingsError.self) { try loader.load() }
        }
    }

    @Test func theDataFolderIsFoundInOrder() {
        func folder(_ flags: [Setting: [String]], _ environment: [String: String], _ exists: Bool) -> String {
            SettingsLoader(flags: flags, environment: environment, currentFolder: "/here")
                .dataFolder { _ in exists }.path
        }
        #expect(folder([.data: ["x/"]], ["ENTENTE_DATA": "/y"], true) == "/here/x")
        #expect(folder([:], ["ENTENTE_DATA": "/y"], true) == "/y")
        #expect(folder([:], ["HOME": "/home/me"], true) == "/here/entente-data")
        #expect(folder([:], ["HOME": "/home/me"], false) == "/home/me/.entente")
    }

    @Test func aLongSocketPathIsRefusedWithAWayOut() async throws {
        try await withFolder { folder in
            let long = "/tmp/" + String(repeating: "x", count: NodeSettings.socketPathLimit)
            let error = #expect(throws: SettingsError.self) {
                try load(#"{"member":"pk"}"#, in: folder, flags: [.controlSocket: [long]])
            }
            #expect(error?.reason.contains("ENTENTE_CONTROL_SOCKET") == true)
            let standard = try load(#"{"member":"pk"}"#, in: folder).settings.controlSocket
            #expect(standard == "\(folder)/control.sock")
        }
    }

    @Test func secretsAreNeitherShownNorRepeated() async throws {
        try await withFolder { folder in
            let file = #"{"member":"pk","proxy":"http://me:hush@proxy:80"}"#
            let loaded = try load(file, in: folder, environment: ["ENTENTE_PASSPHRASE": "correct horse"])
            let shown = loaded.entries.map(\.value).joined()
            #expect(!shown.contains("hush") && !shown.contains("horse"))
            #expect(loaded.settings.proxy?.password == "hush")
            #expect(loaded.settings.passphraseSource == .environment("ENTENTE_PASSPHRASE"))
            let error = #expect(throws: SettingsError.self) {
                try load(#"{"member":"pk","passphraseSource":"pass:hush"}"#, in: folder)
            }
            #expect(error?.description.contains("hush") == false)
        }
    }

    @Test func everySettingHasAFlagAVariableAndAName() {
        #expect(Setting.maximumConnectionsPerMember.variable == "ENTENTE_MAXIMUM_CONNECTIONS_PER_MEMBER")
        #expect(Setting.logLevel.flag == "--log-level")
        #expect(Set(Setting.allCases.map(\.variable)).count == Setting.allCases.count)
        #expect(Set(Setting.allCases.map(\.flag)).count == Setting.allCases.count)
    }
}
