using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace AsrPlatform.Host.Learning.Registry;

/// <summary>An adapter as the API and <c>--json</c> show it.</summary>
internal record AdapterView
{
    public required string Id { get; init; }

    public string? Parent { get; init; }

    /// <summary>SHA-256 of the base model's weights.</summary>
    public required string Base { get; init; }

    /// <summary><c>candidate</c>, <c>provisional</c>, <c>promoted</c>, <c>rejected</c>, <c>rolled-back</c>.</summary>
    public required string State { get; init; }

    /// <summary>Why it is in its state.</summary>
    public string? Reason { get; init; }

    /// <summary>Why it should be rebuilt; null when clean.</summary>
    public string? Tainted { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset? DecidedAt { get; init; }

    /// <summary>Corrections that it and its parents were trained on.</summary>
    public required int Corrections { get; init; }

    /// <summary>Hash of its data set.</summary>
    public string? Dataset { get; init; }

    public JsonNode? Metrics { get; init; }

    public JsonNode? Config { get; init; }

    /// <summary>For whom it is active: <c>all</c>, <c>tenant:NAME</c>, <c>speaker:NAME</c>; empty for nobody.</summary>
    public required IReadOnlyList<string> ActiveFor { get; init; }

    public static AdapterView Of(StoredAdapter adapter, IReadOnlyDictionary<string, Activation> active) => new()
    {
        Id = adapter.Id,
        Parent = adapter.Parent,
        Base = adapter.Base,
        State = AdapterRegistry.NameOf(adapter.State),
        Reason = adapter.Reason,
        Tainted = adapter.Tainted,
        CreatedAt = adapter.CreatedAt,
        DecidedAt = adapter.DecidedAt,
        Corrections = adapter.Corrections,
        Dataset = adapter.Card.Dataset,
        Metrics = adapter.Card.Metrics,
        Config = adapter.Card.Config,
        ActiveFor = [.. active.Where(pair => pair.Value.Adapter == adapter.Id).Select(pair => AdapterScope.Show(pair.Key)).Order(StringComparer.Ordinal)],
    };
}

/// <summary>All adapters.</summary>
/// <param name="Active">What is active for everybody; null: the base model.</param>
/// <param name="Items">The newest first.</param>
internal sealed record AdapterList(string? Active, IReadOnlyList<AdapterView> Items)
{
    public static AdapterList Of(AdapterRegistry registry)
    {
        var active = registry.Active();
        return new AdapterList(active.GetValueOrDefault(AdapterScope.All)?.Adapter, [.. registry.List().Select(adapter => AdapterView.Of(adapter, active))]);
    }
}

/// <summary>An adapter with its ancestors.</summary>
internal sealed record AdapterDetails : AdapterView
{
    [SetsRequiredMembers]
    private AdapterDetails(AdapterView adapter, IReadOnlyList<string> lineage, IReadOnlyDictionary<string, string> files)
        : base(adapter)
    {
        Lineage = lineage;
        Files = files;
    }

    /// <summary>Ids from its parent to the first that went on from the base model; one that is deleted ends it.</summary>
    public required IReadOnlyList<string> Lineage { get; init; }

    /// <summary>SHA-256 of its files.</summary>
    public required IReadOnlyDictionary<string, string> Files { get; init; }

    /// <exception cref="Abstractions.AsrException">There is no such adapter.</exception>
    public static AdapterDetails Of(AdapterRegistry registry, string id)
    {
        var adapter = registry.Get(id);
        List<string> lineage = [];
        for (var parent = adapter.Parent; parent is not null && !lineage.Contains(parent); parent = registry.Find(parent)?.Parent)
        {
            lineage.Add(parent);
        }

        return new AdapterDetails(AdapterView.Of(adapter, registry.Active()), lineage, adapter.Card.Files);
    }
}

/// <summary>Two adapters side by side.</summary>
/// <param name="A">One.</param>
/// <param name="B">The other.</param>
/// <param name="Metrics">Every number that either has, by its path such as <c>heldOut.after</c>.</param>
/// <param name="Config">Every setting of its training that differs, by its path.</param>
/// <param name="Corrections">What they were trained on.</param>
internal sealed record AdapterComparison(
    AdapterView A, AdapterView B, IReadOnlyList<ComparedValue> Metrics, IReadOnlyList<ComparedValue> Config, ComparedCorrections Corrections)
{
    /// <exception cref="Abstractions.AsrException">There is no such adapter.</exception>
    public static AdapterComparison Of(AdapterRegistry registry, string a, string b)
    {
        var active = registry.Active();
        var (one, other) = (registry.Get(a), registry.Get(b));
        var (ofOne, ofOther) = (registry.CorrectionsOf(a), registry.CorrectionsOf(b));
        return new AdapterComparison(
            AdapterView.Of(one, active),
            AdapterView.Of(other, active),
            [.. Values(one.Card.Metrics, other.Card.Metrics).Where(static value => value.IsNumber)],
            [.. Values(one.Card.Config, other.Card.Config).Where(static value => !value.IsEqual)],
            new ComparedCorrections(ofOne.Intersect(ofOther).Count(), ofOne.Except(ofOther).Count(), ofOther.Except(ofOne).Count()));
    }

    private static IEnumerable<ComparedValue> Values(JsonNode? a, JsonNode? b)
    {
        var (one, other) = (Flat(a), Flat(b));
        return one.Keys.Union(other.Keys).Select(name => new ComparedValue(name, one.GetValueOrDefault(name), other.GetValueOrDefault(name)));
    }

    private static Dictionary<string, JsonNode?> Flat(JsonNode? node)
    {
        var values = new Dictionary<string, JsonNode?>(StringComparer.Ordinal);
        Add(node, "");
        return values;

        void Add(JsonNode? at, string path)
        {
            switch (at)
            {
                case JsonObject members:
                    foreach (var (name, value) in members)
                    {
                        Add(value, path.Length == 0 ? name : $"{path}.{name}");
                    }

                    break;
                case JsonArray items:
                    for (var i = 0; i < items.Count; i++)
                    {
                        Add(items[i], string.Create(CultureInfo.InvariantCulture, $"{path}[{i}]"));
                    }

                    break;
                case not null:
                    values.Add(path, at.DeepClone());
                    break;
            }
        }
    }
}

/// <summary>A value of two adapters; null where one has it not.</summary>
internal sealed record ComparedValue(string Name, JsonNode? A, JsonNode? B)
{
    internal bool IsNumber => (A ?? B)!.GetValueKind() == JsonValueKind.Number;

    internal bool IsEqual => JsonNode.DeepEquals(A, B);
}

/// <summary>Numbers of corrections that both adapters were trained on, and only one of them.</summary>
internal sealed record ComparedCorrections(int Both, int OnlyA, int OnlyB);
