using AsrPlatform.Abstractions;
using AsrPlatform.Host.Api.OpenAi;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Plugins;
using AsrPlatform.Host.Serving;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Logging.Console;

namespace AsrPlatform.Host.Api;

/// <summary>Puts the service together: hub, API and page.</summary>
internal static class HostApplication
{
    /// <summary>The page's files, built by eng/build-client.sh.</summary>
    public static string PageDirectory { get; } = Path.Combine(AppContext.BaseDirectory, "wwwroot");

    /// <summary>A builder with the host's configuration and logs (on stderr: stdout is the verbs').</summary>
    /// <param name="settings">Configuration that wins over files and environment.</param>
    public static WebApplicationBuilder CreateBuilder(IEnumerable<KeyValuePair<string, string?>>? settings = null)
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions
        {
            ContentRootPath = AppContext.BaseDirectory,
            ApplicationName = "asr",
        });
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Logging:LogLevel:Default"] = "Information",
            ["Logging:LogLevel:Microsoft"] = "Warning",
            ["Logging:LogLevel:System"] = "Warning",

            // The hub logs what is a defect, once; this would log what clients do wrong, with a stack trace each.
            ["Logging:LogLevel:Microsoft.AspNetCore.SignalR.Internal.DefaultHubDispatcher"] = "None",

            // What stops the start is told in one line by the verb.
            ["Logging:LogLevel:Microsoft.Extensions.Hosting.Internal.Host"] = "None",
        });
        builder.Configuration.AddEnvironmentVariables("ASR_");
        builder.Configuration.AddInMemoryCollection(settings ?? []);
        builder.Logging.ClearProviders();
        builder.Logging.AddSimpleConsole(options => options.SingleLine = true);
        builder.Services.Configure<ConsoleLoggerOptions>(options => options.LogToStandardErrorThreshold = LogLevel.Trace);
        return builder;
    }

    /// <summary>Builds the service over plugins and a model.</summary>
    /// <param name="builder">From <see cref="CreateBuilder"/>.</param>
    /// <param name="plugins">The plugins; stay the caller's.</param>
    /// <param name="model">Loads the recogniser.</param>
    public static WebApplication Build(WebApplicationBuilder builder, PluginCatalog plugins, RecognizerFactory model)
    {
        // Ctrl-C is the command line's to handle: sessions are flushed before the server stops.
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.Services.AddSingleton(plugins);
        builder.Services.AddLive(model, builder.Configuration);
        builder.Services.AddOpenAi(builder.Configuration);
        builder.Services.AddProblemDetails();
        builder.Services.AddExceptionHandler<AsrExceptionHandler>();

        var app = builder.Build();
        app.UseExceptionHandler();
        app.UseStatusCodePages();
        app.Use(static (context, next) =>
        {
            context.Response.Headers.XContentTypeOptions = "nosniff";
            context.Response.Headers["Referrer-Policy"] = "no-referrer";
            return next(context);
        });
        app.MapLive();
        app.MapApi();
        app.MapOpenAi();
        MapPage(app);
        return app;
    }

    private static void MapPage(WebApplication app)
    {
        if (!File.Exists(Path.Combine(PageDirectory, "index.html")))
        {
            app.MapGet("/", () => Results.Problem("The page is not built: run eng/build-client.sh.", statusCode: StatusCodes.Status404NotFound));
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
                var headers = prepared.Context.Response.Headers;
                headers.ContentSecurityPolicy = "default-src 'self'; frame-ancestors 'none'";

                // Assets carry a hash of their content in their name, the page itself does not.
                headers.CacheControl = prepared.File.Name == "index.html" ? "no-cache" : "public, max-age=31536000, immutable";
            },
        });
    }

    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }

    /// <summary>Errors that the caller can act on are answered with their message.</summary>
    private sealed class AsrExceptionHandler(IProblemDetailsService problems) : IExceptionHandler
    {
        public async ValueTask<bool> TryHandleAsync(HttpContext context, Exception exception, CancellationToken cancellationToken)
        {
            if (exception is not AsrException)
            {
                return false;
            }

            context.Response.StatusCode = StatusCodes.Status400BadRequest;
            return await problems.TryWriteAsync(new ProblemDetailsContext
            {
                HttpContext = context,
                ProblemDetails = { Status = StatusCodes.Status400BadRequest, Detail = exception.Message },
            });
        }
    }
}
