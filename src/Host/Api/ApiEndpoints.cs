using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Plugins;
using AsrPlatform.Host.Serving;
using AsrPlatform.Host.Transcripts;

namespace AsrPlatform.Host.Api;

/// <summary>The HTTP endpoints beside the hub. Errors are <c>application/problem+json</c>.</summary>
internal static class ApiEndpoints
{
    private static readonly string[] CaptionFormats = ["vtt", "srt", "json", "txt"];

    public static void MapApi(this IEndpointRouteBuilder app)
    {
        app.MapGet("/health/live", () => Results.Json(new { status = "live" }));
        app.MapGet("/health/ready", Ready);
        app.MapGet("/api/sessions", (LiveSessionStore sessions) => sessions.Sessions.Select(session => session.Describe()));
        app.MapGet("/api/sessions/{id}", (string id, LiveSessionStore sessions) =>
            sessions.Find(id) is { } session ? Results.Json(session.Describe()) : NoSession(id));
        app.MapGet("/api/sessions/{id}/captions.{format}", Captions);
        app.MapGet("/api/plugins", (PluginCatalog plugins) => plugins.Statuses);
        app.MapFallback("/api/{**path}", (HttpContext context) => NotFound($"There is no {context.Request.Path}."));
    }

    private static IResult Ready(ModelHost model)
    {
        var snapshot = model.Snapshot;
        return snapshot.Info is { } info
            ? Results.Json(new { status = "ready", model = info.Name, backend = info.Backend, adapter = info.AdapterVersion, languages = info.Languages, sampleRateHz = info.SampleRateHz })
            : Results.Problem(
                snapshot.Reason ?? "The model is being loaded.",
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
