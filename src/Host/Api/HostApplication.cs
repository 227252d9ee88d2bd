using AsrPlatform.Abstractions;
using AsrPlatform.Host.Api.OpenAi;
using AsrPlatform.Host.Diagnostics;
using AsrPlatform.Host.Learning.Registry;
using AsrPlatform.Host.Learning.Rounds;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Plugins;
using AsrPlatform.Host.Security;
using AsrPlatform.Host.Serving;
using AsrPlatform.Host.Settings;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Api;

/// <summary>Puts the service together: hub, API and page.</summary>
internal static class HostApplication
{
    /// <summary>The page's files, built by eng/build-client.sh.</summary>
    public static string PageDirectory { get; } = Path.Combine(AppContext.BaseDirectory, "wwwroot");

    /// <summary>A builder with the host's configuration and logs (on stderr: stdout is the verbs').</summary>
    /// <param name="settings">What the command line says; wins over files and environment.</param>
    /// <param name="dataDirectory">The data folder; null for none, and so no keys.</param>
    /// <param name="configurationFile">The file of settings that is named; null for none.</param>
    /// <exception cref="AsrException">A file of settings cannot be read.</exception>
    public static WebApplicationBuilder CreateBuilder(
        IEnumerable<KeyValuePair<string, string?>>? settings = null,
        string? dataDirectory = null,
        string? configurationFile = null)
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions
        {
            ContentRootPath = AppContext.BaseDirectory,
            ApplicationName = "asr",
        });
        HostConfiguration.Apply(builder.Configuration, dataDirectory, configurationFile, settings ?? []);
        builder.Logging.ClearProviders();
        builder.Logging.AddConsole();

        // The builder's own defaults set a formatter in code, which would win.
        var formatter = builder.Configuration["Logging:Console:FormatterName"];
        builder.Services.PostConfigure<ConsoleLoggerOptions>(options => options.FormatterName = formatter);
        return builder;
    }

    /// <summary>Builds the service over plugins and a model.</summary>
    /// <param name="builder">From <see cref="CreateBuilder"/>.</param>
    /// <param name="plugins">The plugins; stay the caller's.</param>
    /// <param name="model">Loads the recogniser.</param>
    /// <param name="served">Which model that is; null when it is not known.</param>
    /// <exception cref="OptionsValidationException">Settings cannot be used; the message lists them all.</exception>
    public static WebApplication Build(WebApplicationBuilder builder, PluginCatalog plugins, RecognizerFactory model, ServedModel? served = null)
    {
        // Ctrl-C is the command line's to handle: sessions are flushed before the server stops.
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.Services.AddSingleton(plugins);
        builder.Services.TryAddSingleton<IAdapterSlots, PluginAdapters>();
        builder.Services.AddSingleton(served ?? new ServedModel());
        builder.Services.AddLive(model, builder.Configuration);
        builder.Services.AddLearning(builder.Configuration);
        builder.Services.AddOpenAi(builder.Configuration);
        builder.Services.AddSecurity(builder.Configuration);
        builder.Services.AddSettings<TelemetryOptions>(builder.Configuration, TelemetryOptions.Section);
        builder.Services.AddHostedService<MetricsExport>();
        builder.Services.AddProblemDetails();
        builder.Services.AddExceptionHandler<ErrorAnswers>();

        // Before anything reads one of them.
        SettingsCheck.Require(builder.Services, builder.Configuration);
        var app = builder.Build();
        app.UseSecurityHeaders();
        app.UseExceptionHandler();
        app.UseStatusCodePages();
        MapPage(app);
        app.UseAccessControl();
        app.MapLive();
        app.MapApi();
        app.MapOpenAi();
        return app;
    }

    private static void MapPage(WebApplication app)
    {
        if (!File.Exists(Path.Combine(PageDirectory, "index.html")))
        {
            app.MapGet("/", () => Results.Problem("The page is not built: run eng/build-client.sh.", statusCode: StatusCodes.Status404NotFound)).AllowAnyone();
            return;
        }

        var files = new PhysicalFileProvider(PageDirectory);
        app.Use(static (context, next) =>
        {
            // An overlay's address names its session; its page reads it there.
            if (context.Request.Path.StartsWithSegments("/overlay", out var session) && session.Value is ['/', _, ..] name && !name.AsSpan(1).Contains('/'))
            {
                context.Request.Path = "/overlay/index.html";
            }

            return next(context);
        });
        app.UseDefaultFiles(new DefaultFilesOptions { FileProvider = files });
        app.UseStaticFiles(new StaticFileOptions
        {
            FileProvider = files,
            OnPrepareResponse = static prepared =>
            {
                // Assets carry a hash of their content in their name, the page itself does not.
                prepared.Context.Response.Headers.CacheControl = prepared.File.Name == "index.html" ? "no-cache" : "public, max-age=31536000, immutable";
            },
        });
    }

    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }

    /// <summary>Errors that the caller can act on are answered with their message.</summary>
    private sealed class ErrorAnswers(IOptions<LimitOptions> limits) : IExceptionHandler
    {
        public async ValueTask<bool> TryHandleAsync(HttpContext context, Exception exception, CancellationToken cancellationToken)
        {
            switch (exception)
            {
                case AsrException:
                    await Refusal.WriteAsync(context, StatusCodes.Status400BadRequest, "invalid_request", exception.Message);
                    return true;
                case BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge }:
                    await Refusal.WriteAsync(context, StatusCodes.Status413PayloadTooLarge, "too_large", $"the request's body is larger than {limits.Value.BodyBytes} bytes, the most that Limits:BodyBytes allows");
                    return true;
                case BadHttpRequestException bad:
                    await Refusal.WriteAsync(context, bad.StatusCode, "bad_request", bad.Message);
                    return true;
                default:
                    return false;
            }
        }
    }
}
