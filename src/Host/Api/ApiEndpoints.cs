using AsrPlatform.Host.Plugins;
using AsrPlatform.Host.Security;
using AsrPlatform.Host.Serving;

namespace AsrPlatform.Host.Api;

/// <summary>The HTTP endpoints beside the hub. Errors are <c>application/problem+json</c>.</summary>
internal static class ApiEndpoints
{
    public static void MapApi(this IEndpointRouteBuilder app)
    {
        app.MapGet("/health/live", () => Results.Json(new { status = "live" })).AllowAnyone();
        app.MapGet("/health/ready", Ready).AllowAnyone();
        app.MapSessions();
        app.MapAdapters();
        app.MapConfidence();
        app.MapCorrections();
        app.MapLearning();
        app.MapGet("/api/plugins", (PluginCatalog plugins) => plugins.Statuses).RequireRole(Role.Viewer);
        app.MapFallback("/api/{**path}", (HttpContext context) => NotFound($"There is no {context.Request.Path}.")).RequireRole(Role.Viewer);
    }

    /// <summary>Whoever is unknown learns whether there is a model, not which.</summary>
    private static IResult Ready(ModelHost model, HttpContext context)
    {
        var snapshot = model.Snapshot;
        var caller = Caller.Of(context);
        var isKnown = caller is not null;
        return snapshot.Info is { } info
            ? !isKnown ? Results.Json(new { status = "ready" }) : Results.Json(new { status = "ready", model = info.Name, backend = info.Backend, adapter = info.AdapterVersion, languages = info.Languages, sampleRateHz = info.SampleRateHz, role = caller!.Role.NameOf() })
            : Results.Problem(
                snapshot.Reason is null ? "The model is being loaded." : isKnown ? snapshot.Reason : "There is no model: ask with an API key, or see the host's log.",
                statusCode: StatusCodes.Status503ServiceUnavailable,
                title: snapshot.Status == ModelStatus.Loading ? "Loading" : "Not ready");
    }

    private static IResult NotFound(string detail) => Results.Problem(detail, statusCode: StatusCodes.Status404NotFound);
}
