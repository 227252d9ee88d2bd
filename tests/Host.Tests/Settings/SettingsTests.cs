using System.Reflection;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Api.OpenAi;
using AsrPlatform.Host.Diagnostics;
using AsrPlatform.Host.Learning.Rounds;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Security;
using AsrPlatform.Host.Settings;
using AsrPlatform.Host.Tests.Cli;
using AsrPlatform.Tests;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Tests.Settings;

public sealed class SettingsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        Environment.SetEnvironmentVariable("ASR_SettingsTests__C", null);
        Environment.SetEnvironmentVariable("ASR_SettingsTests__D", null);
        _folder.Dispose();
    }

    [Fact]
    public void Settings_FromEverySource_WinInTheirOrder()
    {
        _folder.Write("appsettings.json", """{"SettingsTests": {"A": "data", "B": "data", "C": "data", "D": "data"}, "Logging": {"LogLevel": {"Default": "Debug"}}}""");
        var named = _folder.Write("named.json", """{"SettingsTests": {"B": "file", "C": "file", "D": "file"}}""");
        Environment.SetEnvironmentVariable("ASR_SettingsTests__C", "environment");
        Environment.SetEnvironmentVariable("ASR_SettingsTests__D", "environment");
        Assert.Equal("data, data, environment, command line", Read(null));

        // A file that is named stands in place of the data folder's.
        Assert.Equal(", file, environment, command line", Read(named));
        Assert.Equal("Debug", Build(null)["Logging:LogLevel:Default"]);
        Assert.Equal("http://127.0.0.1:5080", Build(null)["urls"]);

        string Read(string? file)
        {
            var configuration = Build(file);
            return string.Join(", ", new[] { "A", "B", "C", "D" }.Select(name => configuration[$"SettingsTests:{name}"]));
        }

        IConfigurationRoot Build(string? file)
        {
            var builder = new ConfigurationBuilder();
            HostConfiguration.Apply(builder, _folder.Root, file, [new("SettingsTests:D", "command line")]);
            return builder.Build();
        }
    }

    [Fact]
    public void SettingsFile_ThatIsNotThereOrNoJson_SaysWhich()
    {
        var bad = _folder.Write("bad.json", "{ Live: ");
        Assert.Contains($"the settings in {bad} are no JSON", Apply(bad), StringComparison.Ordinal);
        var missing = _folder.File("missing.json");
        Assert.Contains($"the settings in {missing} cannot be read", Apply(missing), StringComparison.Ordinal);

        string Apply(string file) => Assert.Throws<AsrException>(() => HostConfiguration.Apply(new ConfigurationBuilder(), null, file, [])).Message;
    }

    [Fact]
    public void Serve_WithManyBadSettings_NamesThemAllAtOnce()
    {
        var result = AsrProcess.Run(
            "serve", "--data-dir", _folder.Root, "--plugins-dir", _folder.File("none"), "--urls", "http://127.0.0.1:0",
            "--set", "Live:UpdateInterval=01:00:00",
            "--set", "Live:MaximumSesions=3",
            "--set", "Limits:RequestsPerMinute=0",
            "--set", "Limits:BodyBytes=100MB",
            "--set", "Security:AllowedOrigins:0=captions.example",
            "--set", "Security:EmbedOrigins:0=https://a.example; script-src *",
            "--set", "Telemetry:OtlpEndpoint=collector:4317",
            "--set", "Telemetry:OtlpProtocol=smoke");
        result.ShouldFailWith("the settings cannot be used:");
        foreach (var one in (string[])
        [
            "Live:UpdateInterval is 01:00:00; it must be 0.1 s … 30 s.",
            "Live:MaximumSesions is no setting; there are ",
            "Limits:RequestsPerMinute is 0; it must be 1 … 1000000.",
            "Telemetry:OtlpEndpoint is 'collector:4317'; give an address such as http://127.0.0.1:4317.",
            "Limits:BodyBytes is '100MB'; give a whole number.",
            "Security:AllowedOrigins has 'captions.example'; give an origin such as https://captions.example.org, without a path.",
            "Security:EmbedOrigins has 'https://a.example; script-src *'",
            "Telemetry:OtlpProtocol is 'smoke'; give one of Grpc, Http.",
        ])
        {
            Assert.Contains(one, result.Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Options_OfAnySectionThatCannotBeRead_SayKeyValueAndWhatIsExpected()
    {
        var places = SettingsSection.All(Services(new ConfigurationBuilder().Build()))
            .SelectMany(section => section.Properties.Where(property => property.PropertyType.IsValueType), (section, property) => (Section: section, Name: $"{section.Name}:{property.Name}"))
            .ToArray();
        Assert.True(places.Select(place => place.Section.Name).Distinct().Count() >= 7 && places.Length > 30, $"only {places.Length} settings were found");
        foreach (var (section, name) in places)
        {
            var configuration = new ConfigurationBuilder().AddInMemoryCollection([new(name, "zebra!")]).Build();
            var services = Services(configuration);
            var expected = $"{name} is 'zebra!'; give ";
            Assert.StartsWith(expected, Assert.Single(Assert.Throws<OptionsValidationException>(() => SettingsCheck.Require(services, configuration)).Failures), StringComparison.Ordinal);

            // A host that checks nothing is told the same where it reads them.
            using var provider = services.BuildServiceProvider();
            var type = typeof(IOptions<>).MakeGenericType(section.Options);
            var error = Assert.Throws<TargetInvocationException>(() => type.GetProperty("Value")!.GetValue(provider.GetRequiredService(type)));
            Assert.StartsWith(expected, Assert.Single(Assert.IsType<OptionsValidationException>(error.InnerException).Failures), StringComparison.Ordinal);
        }

        static ServiceCollection Services(IConfiguration configuration)
        {
            var services = new ServiceCollection();
            services.AddLive(() => throw new NotSupportedException(), configuration);
            services.AddLearning(configuration);
            services.AddOpenAi(configuration);
            services.AddSecurity(configuration);
            services.AddSettings<TelemetryOptions>(configuration, TelemetryOptions.Section);
            return services;
        }
    }

    [Theory]
    [InlineData("stream", "{0}")]
    [InlineData("bench", "stream", "--data", "{1}")]
    [InlineData("serve", "--data-dir", "{2}", "--urls", "http://127.0.0.1:0")]
    public async Task Verbs_WithAValueThatIsNoTime_SayWhatIsExpected(params string[] arguments)
    {
        var manifest = _folder.Write("manifest.jsonl", $$"""{"audio": "{{Fixtures.Path("audio/fox.wav")}}", "text": "the quick brown fox", "words": [{"word": "the", "start": 0.1, "end": 0.3}]}""");
        string[] given = [.. arguments.Select(argument => argument.Replace("{0}", Fixtures.Path("audio/fox.wav"), StringComparison.Ordinal).Replace("{1}", manifest, StringComparison.Ordinal).Replace("{2}", _folder.Root, StringComparison.Ordinal))];
        using var process = AsrProcess.Start(redirectInput: false, [("ASR_Live__HoldBack", "0.8")], [.. given, "--plugins-dir", _folder.File("none")]);
        var cancelled = TestContext.Current.CancellationToken;
        var output = process.StandardOutput.ReadToEndAsync(cancelled);
        var error = await process.StandardError.ReadToEndAsync(cancelled);
        await process.WaitForExitAsync(cancelled);
        new AsrProcess.Result(process.ExitCode, await output, error)
            .ShouldFailWith("the settings cannot be used: Live:HoldBack is '0.8'; give a time such as 00:00:30");
    }

    [Fact]
    public void Serve_PrintSettings_ListsEachWithItsValue()
    {
        var lines = AsrProcess.Run("serve", "--data-dir", _folder.Root, "--plugins-dir", _folder.File("none"), "--set", "Live:MaximumSessions=7", "--print-settings")
            .ShouldSucceed().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Contains("urls = http://127.0.0.1:5080", lines);
        Assert.Contains("Live:MaximumSessions = 7", lines);
        Assert.Contains("Limits:RequestsPerMinute = 1200  (default)", lines);
        Assert.Contains("Security:AllowedOrigins =   (default)", lines);
    }
}
