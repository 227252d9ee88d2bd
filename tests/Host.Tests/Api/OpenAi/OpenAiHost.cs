using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Api;
using AsrPlatform.Host.Api.Https;
using AsrPlatform.Host.Plugins;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;

namespace AsrPlatform.Host.Tests.Api.OpenAi;

/// <summary>The service on a free port over a recogniser of a test; over https too when it is given a data folder.</summary>
internal sealed class OpenAiHost : IAsyncDisposable
{
    private readonly PluginCatalog _plugins;

    private OpenAiHost(PluginCatalog plugins, WebApplication app)
    {
        _plugins = plugins;
        App = app;
        Url = new Uri(app.Urls.First(url => url.StartsWith("http:", StringComparison.Ordinal)));
        HttpsUrl = app.Urls.FirstOrDefault(url => url.StartsWith("https:", StringComparison.Ordinal)) is { } https ? new Uri(https) : null;
        Http = new HttpClient { BaseAddress = Url };
    }

    public WebApplication App { get; }

    public Uri Url { get; }

    public Uri? HttpsUrl { get; }

    public HttpClient Http { get; }

    public static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public static async Task<OpenAiHost> StartAsync(Func<ISpeechRecognizer> load, string? dataDirectory = null, params KeyValuePair<string, string?>[] settings)
    {
        var none = new ConfigurationBuilder().Build();
        var plugins = PluginCatalog.Load(new PluginHostOptions { Directory = Path.Combine(AppContext.BaseDirectory, "no-plugins") }, none);
        var builder = HostApplication.CreateBuilder([
            new("urls", "http://127.0.0.1:0"),
            new("Logging:LogLevel:Default", "None"),
            .. settings]);
        if (dataDirectory is not null)
        {
            builder.Configuration[HttpsOptions.CertificateKey] = "auto";
            HttpsOptions.Apply(builder, dataDirectory, TimeProvider.System);
        }

        var app = HostApplication.Build(builder, plugins, () => load());
        await app.StartAsync(Cancelled);
        return new OpenAiHost(plugins, app);
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await App.StopAsync(CancellationToken.None);
        await App.DisposeAsync();
        await _plugins.DisposeAsync();
    }
}
