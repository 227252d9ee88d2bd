using System.CommandLine;
using System.Net.Sockets;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Api;
using AsrPlatform.Host.Api.Https;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Plugins;
using AsrPlatform.Host.Security;
using AsrPlatform.Host.Serving;
using AsrPlatform.Host.Settings;
using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr serve</c>: the service with its page.</summary>
internal static class ServeCommand
{
    public const string Name = "serve";

    /// <summary>
    /// The process is ended from outside only after this time: sessions get <see cref="LiveOptions.ShutdownTimeout"/>, which the host keeps to
    /// by itself.
    /// </summary>
    public static readonly TimeSpan StopTimeout = LiveOptions.LongestShutdown + (4 * StopGrace);

    /// <summary>What the server, and then the engine, get to stop after the sessions did.</summary>
    private static readonly TimeSpan StopGrace = TimeSpan.FromSeconds(5);

    public static Command Create()
    {
        var urls = new Option<string?>("--urls") { Description = "addresses to listen on, separated by ;  other than loopback ones need API keys (asr keys create); default: http://127.0.0.1:5080", HelpName = "URLS" };
        var https = new HttpsOptions();
        var configuration = new Option<string?>("--config") { Description = "a JSON file of settings; default: appsettings.json in the data folder, if it is there", HelpName = "FILE" };
        var set = new Option<string[]>("--set") { Description = "a setting, such as Live:MaximumSessions=16; may be repeated", HelpName = "NAME=VALUE" };
        var logFormat = new Option<string?>("--log-format") { Description = "text (default) or json: one object a line, for machines", HelpName = "FORMAT" };
        logFormat.AcceptOnlyFromAmong("text", "json");
        var printSettings = new Option<bool>("--print-settings") { Description = "prints every setting with its value, and ends" };
        var model = new ModelOptions();
        var command = new Command(
            Name,
            """
            Hosts live captions: the SignalR hub, the HTTP API and the page.
              Settings come from appsettings.json beside the program, --config, environment variables (ASR_Live__MaximumSessions=16) and --set,
              the later ones winning; --print-settings lists them. docs/operations.md explains keys, limits, metrics and health.
            """);
        command.Options.Add(urls);
        https.AddTo(command);
        model.AddTo(command);
        command.Options.Add(configuration);
        command.Options.Add(set);
        command.Options.Add(logFormat);
        command.Options.Add(printSettings);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var dataDirectory = DataDirectory.Resolve(parsed.GetValue(model.DataDirectory));
            List<KeyValuePair<string, string?>> settings = [.. (parsed.GetValue(set) ?? []).Select(ParseSetting)];
            if (parsed.GetValue(urls) is { } addresses)
            {
                settings.Add(new("urls", addresses));
            }

            if (parsed.GetValue(logFormat) is { } format)
            {
                settings.Add(new("Logging:Console:FormatterName", format == "json" ? "json" : "simple"));
            }

            var builder = HostApplication.CreateBuilder(settings, dataDirectory, parsed.GetValue(configuration));
            https.Apply(parsed, builder, dataDirectory, TimeProvider.System);
            var (request, served) = model.ReadServed(parsed);
            await using var plugins = model.Plugins.Load(parsed, builder.Configuration);
            var app = HostApplication.Build(builder, plugins, () => RecognizerLoader.Load(plugins, request, cancellationToken), served);
            if (parsed.GetValue(printSettings))
            {
                await using (app)
                {
                    PrintSettings(app);
                    return 0;
                }
            }

            await RunAsync(app, cancellationToken);
            return 0;
        });
        return command;
    }

    /// <summary>Reads NAME=VALUE.</summary>
    /// <exception cref="AsrException">It is none.</exception>
    public static KeyValuePair<string, string?> ParseSetting(string setting) =>
        setting.IndexOf('=') is > 0 and var at
            ? new(setting[..at].Trim().Replace("__", ":", StringComparison.Ordinal), setting[(at + 1)..].Trim())
            : throw new AsrException($"--set {setting}: give NAME=VALUE, such as Live:MaximumSessions=16");

    private static void PrintSettings(WebApplication app)
    {
        Console.WriteLine($"urls = {app.Configuration["urls"]}");
        foreach (var section in app.Services.GetServices<SettingsSection>().OrderBy(section => section.Name, StringComparer.Ordinal))
        {
            foreach (var (name, value, isGiven) in section.Values(app.Configuration))
            {
                Console.WriteLine($"{name} = {value}{(isGiven ? "" : "  (default)")}");
            }
        }
    }

    /// <summary>Serves until the token is cancelled (Ctrl-C, SIGTERM), then flushes the sessions, and disposes the application.</summary>
    private static async Task RunAsync(WebApplication app, CancellationToken cancellationToken)
    {
        try
        {
            var keys = app.Services.GetRequiredService<ApiKeyStore>();
            var addresses = Exposure.Configured(app.Configuration);
            Exposure.Require(addresses, keys);
            foreach (var plugin in app.Services.GetRequiredService<PluginCatalog>().Statuses.Where(plugin => plugin.State is not (PluginState.Loaded or PluginState.Disabled)))
            {
                app.Logger.LogWarning("Plugin {Plugin} is not loaded: {Reason}", plugin.Id, plugin.Reason);
            }

            try
            {
                await app.StartAsync(cancellationToken);
            }
            catch (Exception error) when (error is IOException or SocketException or FormatException or InvalidOperationException)
            {
                throw new AsrException($"the service cannot start: {error.Message.ReplaceLineEndings(" ")}", error);
            }

            // What it listens on in the end; until here it would have answered loopback alone.
            Exposure.Require(app.Urls, keys);
            foreach (var url in Exposure.Plain(app.Urls))
            {
                app.Logger.LogWarning("{Url} is not encrypted: keys and voices can be read on the way. Serve https, or put a proxy with TLS before it", url);
            }

            foreach (var url in app.Urls)
            {
                Console.WriteLine($"captions at {url.Replace("0.0.0.0", "localhost", StringComparison.Ordinal).Replace("[::]", "localhost", StringComparison.Ordinal)}  (Ctrl-C stops)");
            }

            await WaitAsync(cancellationToken, app.Lifetime.ApplicationStopping);
            await StopAsync(app);
        }
        finally
        {
            await DisposeAsync(app);
        }
    }

    /// <summary>
    /// Finishes the sessions and stops the server, in a bounded time: speakers' last words reach their viewers before the connections are
    /// closed, and what is not decoded within <see cref="LiveOptions.ShutdownTimeout"/> is left to the next host over the data folder.
    /// </summary>
    internal static async Task StopAsync(WebApplication app)
    {
        var sessions = app.Services.GetRequiredService<LiveSessionStore>();
        app.Logger.LogInformation("Stopping: {Sessions} sessions are being finished", sessions.Sessions.Count(session => session.State is SessionState.Active or SessionState.Ending));
        using var deadline = new CancellationTokenSource(app.Services.GetRequiredService<IOptions<LiveOptions>>().Value.ShutdownTimeout);
        await sessions.CloseAsync(deadline.Token);
        var unfinished = sessions.Sessions.Count(session => session.State is SessionState.Active or SessionState.Ending);
        if (unfinished > 0)
        {
            app.Logger.LogWarning("{Sessions} sessions were not finished within Live:ShutdownTimeout: what they acknowledged is kept, and captioned when a host is started over this data folder again", unfinished);
        }

        using var grace = new CancellationTokenSource(StopGrace);
        await app.StopAsync(grace.Token);
        app.Logger.LogInformation("Stopped");
    }

    /// <summary>An engine that does not come back from a decoding must not keep the process for ever.</summary>
    private static async Task DisposeAsync(WebApplication app)
    {
        try
        {
            await app.DisposeAsync().AsTask().WaitAsync(StopGrace);
        }
        catch (TimeoutException)
        {
            await Console.Error.WriteLineAsync("asr: the recogniser does not stop: the process is ended without it");
            Environment.Exit(1);
        }
    }

    private static async Task WaitAsync(CancellationToken first, CancellationToken second)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(first, second);
        await Task.Delay(Timeout.InfiniteTimeSpan, either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
