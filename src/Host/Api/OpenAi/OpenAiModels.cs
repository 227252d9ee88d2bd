using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Serving;

namespace AsrPlatform.Host.Api.OpenAi;

/// <summary>Which recogniser a model's name stands for.</summary>
internal static class OpenAiModels
{
    /// <summary>Names that OpenAI's clients have built in: they stand for the active model.</summary>
    private static readonly string[] OpenAiPrefixes = ["whisper", "gpt-"];

    /// <summary>The active recogniser and the adapter that a name stands for (null: the recogniser's choice).</summary>
    /// <param name="model">The host's model.</param>
    /// <param name="name">The active model's name, one of its adapters', one of OpenAI's, or null for the active model.</param>
    /// <param name="cancellationToken">Stops waiting for the model.</param>
    /// <exception cref="OpenAiException">There is no such model, or none at all.</exception>
    public static async Task<(RecognizerInfo Info, string? Adapter)> ResolveAsync(ModelHost model, string? name, CancellationToken cancellationToken)
    {
        var info = await ReadyAsync(model, cancellationToken);
        if (string.IsNullOrEmpty(name) || name == info.Name || OpenAiPrefixes.Any(prefix => name.StartsWith(prefix, StringComparison.Ordinal)))
        {
            return (info, null);
        }

        return info.Adapters.Contains(name, StringComparer.Ordinal) ? (info, name) : throw NotFound(name);
    }

    /// <summary><c>GET /v1/models</c>: the active model and its adapters.</summary>
    public static IResult List(ModelHost model) => Results.Json(new { Object = "list", Data = Describe(model.Snapshot) }, OpenAiJson.Options);

    /// <summary><c>GET /v1/models/{id}</c>.</summary>
    public static IResult Get(string id, ModelHost model) => Describe(model.Snapshot).FirstOrDefault(one => one.Id == id) is { } found
        ? Results.Json(found, OpenAiJson.Options)
        : NotFound(id).Error.ToResult(StatusCodes.Status404NotFound);

    private static async Task<RecognizerInfo> ReadyAsync(ModelHost model, CancellationToken cancellationToken)
    {
        try
        {
            return await model.ReadyAsync(cancellationToken);
        }
        catch (AsrException error)
        {
            throw new OpenAiException(StatusCodes.Status503ServiceUnavailable, new OpenAiError(error.Message, OpenAiErrorTypes.Server, Code: "model_not_ready"));
        }
    }

    private static IEnumerable<ModelDescription> Describe(ModelSnapshot snapshot) => snapshot is { Info: { } info, ReadyAt: { } readyAt }
        ? new[] { info.Name }.Concat(info.Adapters).Select(name => new ModelDescription(name, "model", readyAt.ToUnixTimeSeconds(), "local"))
        : [];

    private static OpenAiException NotFound(string name) => new(
        StatusCodes.Status404NotFound,
        new OpenAiError(
            $"The model '{(name.Length > 64 ? name[..64] + "…" : name)}' does not exist: GET /v1/models lists what there is.",
            OpenAiErrorTypes.InvalidRequest,
            "model",
            "model_not_found"));

    private sealed record ModelDescription(string Id, string Object, long Created, string OwnedBy);
}
