using System.Diagnostics;
using System.Text.Json.Nodes;
using AsrPlatform.Host.Api;
using AsrPlatform.Host.Audio;
using AsrPlatform.Host.Learning.Corrections;
using AsrPlatform.Host.Learning.Gate;
using AsrPlatform.Host.Learning.Registry;
using AsrPlatform.Host.Learning.Rounds;
using AsrPlatform.Host.Plugins;
using AsrPlatform.Host.Serving;
using AsrPlatform.Tests;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.FileProviders;

namespace AsrPlatform.Host.Tests.Live;

/// <summary>
/// The learning loop in a real browser: caption, correction, round, promotion, another clip, roll-back. What hears, what finds corrections
/// plausible and what trains are scripts; the page and all that lies between them are the real ones.
/// </summary>
public sealed class PageCircleTests : IDisposable
{
    /// <summary>A round's process: it trains until the browser has seen it (the file GO), then has an adapter that was judged better.</summary>
    private const string Trainer =
        """
        echo '{"phase":"training","step":1,"maxSteps":3,"loss":3.5,"values":{}}'
        sleep 0.5
        echo '{"phase":"training","step":2,"maxSteps":3,"loss":2.5,"values":{}}'
        while [ ! -e "$GO" ]; do sleep 0.05; done
        cp -r "$ADAPTER" "$1/training"
        echo '{"decision":"promoted","reason":"it hears better","seconds":2,"metrics":{"heldOutWerBefore":0.5,"heldOutWerAfter":0.25,"anchorWerBefore":0.1,"anchorWerAfter":0.11}}' > "$1/outcome.json"
        """;

    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Page_FromACorrectionToAnAdapter_ShowsEveryStepAndTheNextClipIsCaptionedByIt()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "the trainer is a shell script");
        LiveHostTests.RequireBuilt("/usr/bin/chromium", "artifacts/app/wwwroot/index.html");
        var model = Fixtures.Path("micro");
        var go = _folder.File("go");
        var recognizer = new AdaptedRecognizer();
        await using var plugins = PluginCatalog.Load(new PluginHostOptions { Directory = Path.Combine(AppContext.BaseDirectory, "no-plugins") }, new ConfigurationBuilder().Build());
        await using var app = await StartAsync(plugins, recognizer, new ServedModel(model), go);
        var run = LiveHostTests.RunNodeAsync([
            "tests/Browser/page.mjs",
            "--scenario", "circle",
            "--url", app.Urls.First() + "/index.html",
            "--wav", Wav("taught", Enumerable.Range(0, GateSettings.FewestCorrections).Aggregate(new SpokenAudio(), (audio, index) => audio.Say(1, 2, index + 3).Silence(2))),
            "--exam", Wav("exam", new SpokenAudio().Say(4, 5)),
            "--go", go]);
        await JudgeUntilAsync(run, app.Services.GetRequiredService<CorrectionStore>());
        var report = JsonNode.Parse(await run)!;

        Assert.Equal("one two three", (string)report["corrected"]!);
        Assert.Matches("w[0-9]+/base one w[0-9]+/base two w[0-9]+/base three", (string)report["listed"]!);
        Assert.Contains("Ada", (string)report["listed"]!, StringComparison.Ordinal);
        Assert.Matches("step [12] of 3 · loss [23].500", (string)report["progress"]!);
        var adapter = (string)report["adapter"]!;
        Assert.Equal($"base model → {adapter}", (string)report["lineage"]!);
        Assert.StartsWith($"Captions are now made by {adapter}, from the next utterance on.", (string)report["promoted"]!, StringComparison.Ordinal);
        Assert.Contains("it hears better", (string)report["round"]!, StringComparison.Ordinal);
        Assert.Equal(["base|before|50 %|10 %", $"{adapter}|promoted|25 %|11 %"], Strings(report["rates"]!));
        Assert.Contains($"learned by {adapter}", (string)report["learned"]!, StringComparison.Ordinal);

        // The taught clip by the base model and by the adapter, then the other one, live.
        var compared = Strings(report["compared"]!);
        Assert.Equal(3, compared.Length);
        Assert.Contains("/base", compared[1], StringComparison.Ordinal);
        Assert.Contains("/" + adapter, compared[2], StringComparison.Ordinal);
        Assert.All(Strings(report["before"]!), text => Assert.Matches("^(w[0-9]+/base ?)+$", text));
        Assert.All(Strings(report["after"]!), text => Assert.Matches($"^(w[0-9]+/{adapter} ?)+$", text));
        Assert.NotEmpty(Strings(report["after"]!));

        Assert.Equal("base model", (string)report["rolledBack"]!);
        Assert.Null(app.Services.GetRequiredService<AdapterRegistry>().ActiveId());
        Assert.All(Strings(report["errors"]!), error => Assert.Matches("health/ready", error));
        await app.StopAsync(CancellationToken.None);
    }

    private async Task<WebApplication> StartAsync(PluginCatalog plugins, AdaptedRecognizer recognizer, ServedModel served, string go)
    {
        var script = _folder.File("round.sh");
        await File.WriteAllTextAsync(script, Trainer, Cancelled);
        var builder = HostApplication.CreateBuilder([
            new("urls", "http://127.0.0.1:0"),
            new("Live:PauseDuration", "00:00:00.6"),
            new("Learning:Automatic", "false"),
            new("Logging:LogLevel:Default", "None")]);
        builder.Services.AddSingleton<IAdapterSlots>(recognizer);
        builder.Services.AddSingleton<RoundProgram>(round =>
        {
            var start = new ProcessStartInfo("bash", [script, round.Directory]);
            start.Environment["ADAPTER"] = Fixtures.Path("finetune/lora/initial");
            start.Environment["GO"] = go;
            return start;
        });
        var app = HostApplication.Build(builder, plugins, () => recognizer, served);

        // The page of this process lies elsewhere.
        app.UseStaticFiles(new StaticFileOptions { FileProvider = new PhysicalFileProvider(Path.Combine(Fixtures.RepositoryRoot, "artifacts", "app", "wwwroot")) });
        await app.StartAsync(Cancelled);
        return app;
    }

    /// <summary>Finds every correction plausible until a task has ended.</summary>
    private static async Task JudgeUntilAsync(Task done, CorrectionStore corrections)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
        while (!done.IsCompleted)
        {
            foreach (var waiting in corrections.ToScreen())
            {
                if (await corrections.RefreshAsync(waiting) is { } correction)
                {
                    await corrections.JudgeAsync(correction, new ScreeningVerdict(true, null));
                }
            }

            await timer.WaitForNextTickAsync(Cancelled);
        }
    }

    private string Wav(string name, SpokenAudio audio)
    {
        var path = _folder.File(name + ".wav");
        WavWriter.Write(path, audio.Silence(1).Samples.Select(sample => sample / 32768f).ToArray(), SpokenAudio.SampleRateHz);
        return path;
    }

    private static string[] Strings(JsonNode list) => [.. list.AsArray().Select(item => (string)item!)];
}
