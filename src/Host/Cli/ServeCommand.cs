using System.CommandLine;
using System.Net.Sockets;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Api;
using AsrPlatform.Host.Api.Https;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Plugins;
using AsrPlatform.Host.Serving;
using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr serve</c>: the service with its page.</summary>
internal static class ServeCommand
{
    public static Command Create()
    {
        var urls = new Option<string>("--urls") { Description = "addresses to listen on, separated by ;", HelpName = "URLS", DefaultValueFactory = _ => "http://127.0.0.1:5080" };
        var https = new HttpsOptions();
        var model = new ModelOptions();
        var command = new Command("serve", "Hosts live captions: the SignalR hub, the HTTP API and the page.");
        command.Options.Add(urls);
        https.AddTo(command);
        model.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var request = model.Read(parsed);
            var builder = HostApplication.CreateBuilder([new("urls", parsed.GetValue(urls))]);
            var data = DataDirectory.Resolve(parsed.GetValue(model.DataDirectory));
            builder.Configuration["DataDirectory"] = data;
            https.Apply(parsed, builder, data, TimeProvider.System);
            await using var plugins = model.Plugins.Load(parsed);
            await RunAsync(HostApplication.Build(builder, plugins, () => RecognizerLoader.Load(plugins, request, cancellationToken)), cancellationToken);
            return 0;
        });
        return command;
    }

    /// <summary>Serves until the token is cancelled (Ctrl-C), then flushes the sessions, and disposes the application.</summary>
    private static async Task RunAsync(WebApplication app, CancellationToken cancellationToken)
    {
        await using (app)
        {
            foreach (var plugin in app.Services.GetRequiredService<PluginCatalog>().Statuses.Where(plugin => plugin.State is not (PluginState.Loaded or PluginState.Disabled)))
            {
                app.Logger.LogWarning("Plugin {Plugin} is not loaded: {Reason}", plugin.Id, plugin.Reason);
            }

            try
            {
                await app.StartAsync(cancellationToken);
            }
            catch (Exception error) when (error is IOException or SocketException or FormatException or InvalidOperationException or OptionsValidationException)
            {
                throw new AsrException($"the service cannot start: {error.Message.ReplaceLineEndings(" ")}", error);
            }

            foreach (var url in app.Urls)
            {
                Console.WriteLine($"captions at {url.Replace("0.0.0.0", "localhost", StringComparison.Ordinal).Replace("[::]", "localhost", StringComparison.Ordinal)}  (Ctrl-C stops)");
            }

            await WaitAsync(cancellationToken, app.Lifetime.ApplicationStopping);

            // Before the connections are closed: speakers' last words reach their viewers.
            using var deadline = new CancellationTokenSource(app.Services.GetRequiredService<IOptions<LiveOptions>>().Value.ShutdownTimeout);
            await app.Services.GetRequiredService<LiveSessionStore>().CloseAsync(deadline.Token);
            await app.StopAsync(deadline.Token);
        }
    }

    private static async Task WaitAsync(CancellationToken first, CancellationToken second)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(first, second);
        await Task.Delay(Timeout.InfiniteTimeSpan, either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
