using System.Text.Json;
using System.Text.Json.Nodes;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Abstractions.Plugins;
using AsrPlatform.Abstractions.Training;
using AsrPlatform.Host.Plugins;

namespace AsrPlatform.Host.Tests.Plugins;

[Collection("loaded assemblies")]
public sealed class PluginCatalogTests : IDisposable
{
    private readonly PluginsFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Load_GoodPlugin_IsLoadedWithItsManifest()
    {
        var directory = _folder.Add("good");

        await using var catalog = _folder.Load();

        var status = Assert.Single(catalog.Statuses);
        Assert.Equal(PluginState.Loaded, status.State);
        Assert.Null(status.Reason);
        Assert.Equal(("good", "1.2.3", directory), (status.Id, status.Version, status.Directory));
        Assert.Equal([PluginKinds.Seq2SeqBackend, PluginKinds.Recognizer], status.Kinds);
    }

    [Fact]
    public async Task Load_GoodPlugin_ServicesAreOfTheHostsTypes()
    {
        _folder.Add("good");

        await using var catalog = _folder.Load();

        // The cast in GetServices is the proof: a second copy of Abstractions would be another ISeq2SeqBackend.
        var backend = Assert.Single(catalog.GetServices<ISeq2SeqBackend>());
        Assert.Equal("toy", backend.Name);
        Assert.Equal("good", System.Runtime.Loader.AssemblyLoadContext.GetLoadContext(backend.GetType().Assembly)!.Name);
        using var model = backend.CreateRandom("{}", new ModelLoadOptions());
        using var states = model.Encode(new float[4 * 4], batch: 1, frames: 4);
        Assert.Equal((1, 2), (states.Batch, states.Positions));
    }

    [Theory]
    [InlineData("old-contract", "incompatible", "it was built for contract 0.9, this host has 1.0", "install a version of the plugin that was built for this host")]
    [InlineData("new-contract", "incompatible", "it was built for contract 1.999, this host has 1.0", "update AsrPlatform, or install an older version of the plugin")]
    [InlineData("throws-in-constructor", "failed", "its constructor threw: InvalidOperationException: no licence for this machine", null)]
    [InlineData("native-missing", "native-missing", "the native library asr-no-such-library does not load: it is neither in the plugin's folder nor where the system looks", "apt-get install libasr-no-such-library")]
    [InlineData("outside", "invalid", "plugin.json: assembly '../good/AsrPlatform.TestPlugins.Good.dll' is not the name of a file in the plugin's folder", null)]
    [InlineData("not-json", "invalid", "plugin.json: 'i' is an invalid start of a value. Path: $ | LineNumber: 0 | BytePositionInLine: 0.", null)]
    [InlineData("unknown-kind", "invalid", "plugin.json: kind 'coffee-machine' is unknown; there are seq2seq-backend, recognizer, decoder, trainer, adapter, capture, voice-activity", null)]
    [InlineData("kind-missing", "invalid", "plugin.json declares the kind 'trainer', but it registers no ITrainer", null)]
    [InlineData("two-entry-points", "invalid", "AsrPlatform.TestPlugins.TwoEntryPoints has 2 public classes that implement IPlugin (First, Second); there must be one", null)]
    public async Task Load_FaultyPlugin_IsAStatusAndTheHostGoesOn(string name, string state, string reason, string? remedy)
    {
        _folder.Add(name);
        _folder.Add("good", "zz-after-it");
        if (Directory.GetFiles(Path.Combine(_folder.Root, name)) is [_] && name != "outside")
        {
            // A manifest alone: give it an assembly, so that the assembly's absence is not what is found.
            File.Copy(Path.Combine(_folder.Root, "zz-after-it", "AsrPlatform.TestPlugins.Good.dll"), Path.Combine(_folder.Root, name, "AsrPlatform.TestPlugins.Good.dll"));
        }

        await using var catalog = _folder.Load();

        Assert.Equal(2, catalog.Statuses.Count);
        var status = catalog.Statuses[0];
        Assert.Equal(name, status.Id);
        Assert.Equal(reason, status.Reason);
        Assert.Equal(remedy, status.Remedy);
        Assert.Equal(state, JsonSerializer.SerializeToNode(status.State)!.GetValue<string>());
        Assert.Equal(PluginState.Loaded, catalog.Statuses[1].State);
        Assert.Equal("toy", Assert.Single(catalog.GetServices<ISeq2SeqBackend>()).Name);
    }

    [Fact]
    public async Task Load_EveryTestPluginAtOnce_EachHasItsStatus()
    {
        string[] names =
        [
            "good", "old-contract", "throws-in-constructor", "native-missing", "outside",
            "not-json", "unknown-kind", "kind-missing", "two-entry-points", "own-library", "binding-user",
        ];
        foreach (var name in names)
        {
            _folder.Add(name);
        }

        await using var catalog = _folder.Load();

        Assert.Equal(names.Order(StringComparer.Ordinal), catalog.Statuses.Select(status => status.Id));
        Assert.Equal(["binding-user", "good", "own-library"], catalog.Statuses.Where(status => status.State == PluginState.Loaded).Select(status => status.Id));
        Assert.All(catalog.Statuses.Where(status => status.State != PluginState.Loaded), status => Assert.False(string.IsNullOrEmpty(status.Reason)));
    }

    [Fact]
    public async Task Load_SameIdTwice_TheSecondIsInvalid()
    {
        var first = _folder.Add("good", "a");
        _folder.Add("good", "b");

        await using var catalog = _folder.Load();

        Assert.Equal([PluginState.Loaded, PluginState.Invalid], catalog.Statuses.Select(status => status.State));
        Assert.Equal($"the id 'good' is taken by {first}", catalog.Statuses[1].Reason);
    }

    [Fact]
    public async Task Load_SameBackendNameTwice_TheSecondGivesWay()
    {
        _folder.Add("good", "a");
        SetInManifest(_folder.Add("good", "b"), "id", "other");

        await using var catalog = _folder.Load();

        Assert.Equal([PluginState.Loaded, PluginState.Invalid], catalog.Statuses.Select(status => status.State));
        Assert.Equal("the backend 'toy' is already provided by the plugin 'good'", catalog.Statuses[1].Reason);
        Assert.Single(catalog.GetServices<ISeq2SeqBackend>());
    }

    [Fact]
    public async Task Load_UndeclaredKind_IsInvalid()
    {
        SetInManifest(_folder.Add("good"), "kinds", new JsonArray("recognizer"));

        await using var catalog = _folder.Load();

        var status = Assert.Single(catalog.Statuses);
        Assert.Equal(PluginState.Invalid, status.State);
        Assert.Equal("it registers an ISeq2SeqBackend, but plugin.json does not declare the kind 'seq2seq-backend'", status.Reason);
    }

    [Theory]
    [InlineData("id", "../good", "id '../good' is not")]
    [InlineData("id", "", "id '' is not")]
    [InlineData("id", "good\n", "is not 1 to 64 letters")]
    [InlineData("id", "sharedDirectory", "is the name of a setting")]
    [InlineData("version", "1.0", "version '1.0' is not a semantic version")]
    [InlineData("version", "01.0.0", "version '01.0.0' is not a semantic version")]
    [InlineData("contract", "1", "contract '1' is not major.minor")]
    [InlineData("contract", "one.zero", "contract 'one.zero' is not major.minor")]
    [InlineData("assembly", "", "assembly '' is not the name of a file")]
    [InlineData("assembly", "/bin/sh", "assembly '/bin/sh' is not the name of a file")]
    [InlineData("assembly", "Missing.dll", "assembly 'Missing.dll' is not in the plugin's folder")]
    public async Task Load_ManifestValueThatCannotBe_IsInvalidWithTheValue(string key, string value, string reason)
    {
        SetInManifest(_folder.Add("good"), key, value);

        await using var catalog = _folder.Load();

        var status = Assert.Single(catalog.Statuses);
        Assert.Equal(PluginState.Invalid, status.State);
        Assert.Contains(reason, status.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("id")]
    [InlineData("version")]
    [InlineData("contract")]
    [InlineData("assembly")]
    [InlineData("kinds")]
    public async Task Load_ManifestWithoutAKey_IsInvalidAndNamesIt(string key)
    {
        SetInManifest(_folder.Add("good"), key, null, remove: true);
        SetInManifest(_folder.Add("good", "null"), key, null);

        await using var catalog = _folder.Load();

        Assert.All(catalog.Statuses, status => Assert.Equal(PluginState.Invalid, status.State));
        Assert.All(catalog.Statuses, status => Assert.Contains(key, status.Reason, StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task Load_AssemblyThatIsNone_IsFailed()
    {
        var directory = _folder.Add("good");
        await File.WriteAllTextAsync(Path.Combine(directory, "AsrPlatform.TestPlugins.Good.dll"), "no assembly", TestContext.Current.CancellationToken);

        await using var catalog = _folder.Load();

        var status = Assert.Single(catalog.Statuses);
        Assert.Equal(PluginState.Failed, status.State);
        Assert.StartsWith("it cannot be loaded: BadImageFormatException", status.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Load_NativeLibraryInTheFolderThatIsNone_SaysWhatTheLoaderSays()
    {
        var directory = _folder.Add("native-missing");
        PluginsFolder.Copy("good", _folder.Beside("spare") + "/good");
        File.Copy(Path.Combine(_folder.Beside("spare"), "good", "AsrPlatform.TestPlugins.Good.dll"), Path.Combine(directory, "AsrPlatform.TestPlugins.Good.dll"));
        var library = Path.Combine(directory, OperatingSystem.IsWindows() ? "asr-no-such-library.dll" : OperatingSystem.IsMacOS() ? "libasr-no-such-library.dylib" : "libasr-no-such-library.so");
        await File.WriteAllTextAsync(library, "no library", TestContext.Current.CancellationToken);

        await using var catalog = _folder.Load();

        var status = Assert.Single(catalog.Statuses);
        Assert.Equal(PluginState.NativeMissing, status.State);
        Assert.Contains(library, status.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Load_NativeLibraryOfTheSystem_IsFound()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "libm.so.6 is Linux's.");
        var directory = _folder.Add("good");
        SetInManifest(directory, "native", new JsonArray(new JsonObject { ["library"] = "libm.so.6" }));

        await using var catalog = _folder.Load();

        Assert.Equal(PluginState.Loaded, Assert.Single(catalog.Statuses).State);
    }

    [Fact]
    public async Task Load_LinksThatLeadOutside_AreInvalid()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Links need a privilege there.");
        var outside = PluginsFolder.Copy("good", Path.Combine(_folder.Beside("elsewhere"), "good"));
        Directory.CreateSymbolicLink(Path.Combine(_folder.Root, "a-linked-folder"), outside);

        var linkedAssembly = _folder.Add("good", "b-linked-assembly");
        Relink(linkedAssembly, "AsrPlatform.TestPlugins.Good.dll", outside);
        var linkedManifest = _folder.Add("good", "c-linked-manifest");
        Relink(linkedManifest, "plugin.json", outside);

        await using var catalog = _folder.Load();

        Assert.All(catalog.Statuses, status => Assert.Equal(PluginState.Invalid, status.State));
        Assert.Equal(
            [
                $"the folder is a link that leads out of the plugins folder, to {outside}",
                $"assembly 'AsrPlatform.TestPlugins.Good.dll' lies outside the plugin's folder, at {Path.Combine(outside, "AsrPlatform.TestPlugins.Good.dll")}",
                $"plugin.json lies outside the plugin's folder, at {Path.Combine(outside, "plugin.json")}",
            ],
            catalog.Statuses.Select(status => status.Reason));

        static void Relink(string directory, string file, string target)
        {
            File.Delete(Path.Combine(directory, file));
            File.CreateSymbolicLink(Path.Combine(directory, file), Path.Combine(target, file));
        }
    }

    [Fact]
    public async Task Load_PluginsFolderThatIsALink_Works()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Links need a privilege there.");
        _folder.Add("good");
        var link = Path.Combine(_folder.Beside("elsewhere"), "plugins");
        Directory.CreateSymbolicLink(link, _folder.Root);

        await using var catalog = PluginCatalog.Load(
            new PluginHostOptions { Directory = link, SharedDirectory = _folder.Beside("shared") },
            new Microsoft.Extensions.Configuration.ConfigurationBuilder().Build());

        Assert.Equal(PluginState.Loaded, Assert.Single(catalog.Statuses).State);
    }

    [Theory]
    [InlineData("false", PluginState.Disabled, "switched off by Plugins:good:Enabled")]
    [InlineData("perhaps", PluginState.Invalid, "the setting Plugins:good:Enabled is 'perhaps'; it must be true or false")]
    [InlineData("true", PluginState.Loaded, null)]
    internal async Task Load_EnabledSetting_DecidesWhetherItLoads(string value, PluginState state, string? reason)
    {
        _folder.Add("good");

        await using var catalog = _folder.Load(("Plugins:good:Enabled", value));

        var status = Assert.Single(catalog.Statuses);
        Assert.Equal((state, reason), (status.State, status.Reason));
    }

    [Fact]
    public async Task Load_Configuration_EachPluginSeesItsSection()
    {
        _folder.Add("good");

        await using var catalog = _folder.Load(("Plugins:good:Greeting", "hello"), ("Plugins:other:Greeting", "wrong"));

        Assert.Contains(new DiagnosticItem("greeting", "hello"), Assert.Single(catalog.GetServices<IPluginDiagnostics>()).Describe());
    }

    [Fact]
    public async Task Load_NoPluginsFolder_IsEmpty()
    {
        Directory.Delete(_folder.Root);

        await using var catalog = _folder.Load();

        Assert.Empty(catalog.Statuses);
        var error = Assert.Throws<AsrException>(() => catalog.Get<ISeq2SeqBackend>());
        Assert.Equal($"no backend is loaded; no plugin lies in {_folder.Root}", error.Message);
    }

    [Fact]
    public async Task Get_ByName_IgnoresCase()
    {
        _folder.Add("good");

        await using var catalog = _folder.Load();

        Assert.Equal("toy", catalog.Get<ISeq2SeqBackend>("TOY").Name);
        Assert.Equal("toy", catalog.Get<ISeq2SeqBackend>().Name);
    }

    [Fact]
    public async Task Get_UnknownName_ListsWhatThereIsAndWhyOthersAreNotLoaded()
    {
        _folder.Add("good");
        _folder.Add("native-missing");
        _folder.Add("unknown-kind");
        File.Copy(Path.Combine(_folder.Root, "good", "AsrPlatform.TestPlugins.Good.dll"), Path.Combine(_folder.Root, "native-missing", "AsrPlatform.TestPlugins.Good.dll"));

        await using var catalog = _folder.Load();

        var error = Assert.Throws<AsrException>(() => catalog.Get<ISeq2SeqBackend>("onnx"));
        Assert.Equal(
            "there is no backend 'onnx'; there are: toy; plugin 'native-missing' is not loaded: the native library asr-no-such-library does not load: "
            + "it is neither in the plugin's folder nor where the system looks (apt-get install libasr-no-such-library)",
            error.Message);
        Assert.Equal("no trainer is loaded; loaded are: backend 'toy', recognizer 'loudness'", Assert.Throws<AsrException>(() => catalog.Get<ITrainer>()).Message);
    }

    [Fact]
    public async Task DisposeAsync_Twice_EndsTheServicesOnce()
    {
        _folder.Add("good");
        var catalog = _folder.Load();

        await catalog.DisposeAsync();
        await catalog.DisposeAsync();

        Assert.Throws<ObjectDisposedException>(() => catalog.GetServices<ISpeechRecognizerBackend>());
        Assert.Equal(PluginState.Loaded, Assert.Single(catalog.Statuses).State);
    }

    private static void SetInManifest(string directory, string key, JsonNode? value, bool remove = false)
    {
        var path = Path.Combine(directory, "plugin.json");
        var manifest = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        if (remove)
        {
            manifest.Remove(key);
        }
        else
        {
            manifest[key] = value;
        }

        File.WriteAllText(path, manifest.ToJsonString());
    }
}
