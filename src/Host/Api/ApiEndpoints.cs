using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Plugins;
using AsrPlatform.Host.Security;
using AsrPlatform.Host.Serving;
using AsrPlatform.Host.Transcripts;

namespace AsrPlatform.Host.Api;

/// <summary>The HTTP endpoints beside the hub. Errors are <c>application/problem+json</c>.</summary>
internal static class ApiEndpoints
{
    private static readonly string[] CaptionFormats = ["vtt", "srt", "json", "txt"];

    public static void MapApi(this IEndpointRouteBuilder app)
    {
        app.MapGet("/health/live", () => Results.Json(new { status = "live" })).AllowAnyone();
        app.MapGet("/health/ready", Ready).AllowAnyone();
        app.MapGet("/api/sessions", (LiveSessionStore sessions) => sessions.Sessions.Select(session => session.Describe())).RequireRole(Role.Viewer);
        app.MapGet("/api/sessions/{id}", (string id, LiveSessionStore sessions) =>
            sessions.Find(id) is { } session ? Results.Json(session.Describe()) : NoSession(id)).RequireRole(Role.Viewer);
        app.MapGet("/api/sessions/{id}/captions.{format}", Captions).RequireRole(Role.Viewer);
        app.MapGet("/api/plugins", (PluginCatalog plugins) => plugins.Statuses).RequireRole(Role.Viewer);
        app.MapFallback("/api/{**path}", (HttpContext context) => NotFound($"There is no {context.Request.Path}.")).RequireRole(Role.Viewer);
    }

    /// <summary>Whoever is unknown learns whether there is a model, not which.</summary>
    private static IResult Ready(ModelHost model, HttpContext context)
    {
        var snapshot = model.Snapshot;
        var isKnown = Caller.Of(context) is not null;
        return snapshot.Info is { } info
            ? !isKnown ? Results.Json(new { status = "ready" }) : Results.Json(new { status = "ready", model = info.Name, backend = info.Backend, adapter = info.AdapterVersion, languages = info.Languages, sampleRateHz = info.SampleRateHz })
            : Results.Problem(
                snapshot.Reason is null ? "The model is being loaded." : isKnown ? snapshot.Reason : "There is no model: ask with an API key, or see the host's log.",
                statusCode: StatusCodes.Status503ServiceUnavailable,
                title: snapshot.Status == ModelStatus.Loading ? "Loading" : "Not ready");
    }

    private static IResult Captions(string id, string format, LiveSessionStore sessions, bool tentative = false)
    {
        if (sessions.Find(id) is not { } session)
        {
            return NoSession(id);
        }

        // A caption without text is one that was taken back.
        var captions = session.Captions.Where(caption => (tentative || caption.State != CaptionState.Tentative) && caption.Text.Length > 0).ToArray();
        var cues = CaptionJoin.Cues(captions, session.Settings.SampleRateHz);
        return format switch
        {
            "vtt" => Results.Text(TranscriptFormat.Vtt(cues), "text/vtt; charset=utf-8"),
            "srt" => Results.Text(TranscriptFormat.Srt(cues), "application/x-subrip; charset=utf-8"),
            "txt" => Results.Text(string.Concat(CaptionJoin.Utterances(captions).Select(text => text + "\n")), "text/plain; charset=utf-8"),
            "json" => Results.Json(captions),
            _ => NotFound($"Captions come as {string.Join(", ", CaptionFormats)}."),
        };
    }

    private static IResult NoSession(string id) => NotFound($"There is no session '{id}'.");

    private static IResult NotFound(string detail) => Results.Problem(detail, statusCode: StatusCodes.Status404NotFound);
}
