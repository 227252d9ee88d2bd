using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.LoraAdapter.Configuration;
using AsrPlatform.LoraAdapter.Files;

namespace AsrPlatform.LoraAdapter;

/// <summary>A module of the base with what an adapter must know of it.</summary>
/// <param name="Info">The module.</param>
/// <param name="WeightShape">Its weight's dimensions.</param>
/// <param name="BiasLength">Its bias's length; 0 without one.</param>
/// <param name="SharesWeightWith">The name of the embedding whose weight this is too; or null.</param>
/// <param name="Weight">Its weight, where a fresh adapter starts from it or a stored copy is compared with it; borrowed.</param>
/// <param name="Bias">Its bias, likewise.</param>
internal sealed record BaseModule(ModuleInfo Info, long[] WeightShape, long BiasLength, string? SharesWeightWith, Tensor? Weight = null, Tensor? Bias = null);

/// <summary>Makes what an adapter holds for each module of a base, from start values or from a file.</summary>
/// <param name="config">The configuration, resolved.</param>
/// <param name="source">The values.</param>
/// <param name="device">Where the tensors shall lie.</param>
/// <param name="isTrainable">Whether they record gradients.</param>
/// <param name="seed">Seed of random start values.</param>
internal sealed class AdapterBuilder(LoraConfig config, TensorSource source, Device device, bool isTrainable, long seed) : IDisposable
{
    /// <summary>What PEFT puts before the module names of the base.</summary>
    public const string Prefix = "base_model.model.";

    private readonly ModuleMatcher _matcher = new(config);
    private readonly Generator _random = new(unchecked((ulong)seed));
    private readonly List<AdaptedModule> _modules = [];
    private readonly List<Parameter> _made = [];

    /// <summary>Makes them in the order of the base.</summary>
    /// <returns>What is adapted; the caller owns its parameters.</returns>
    /// <exception cref="AsrException">Nothing or something that cannot be adapted is meant, or a tensor is missing or does not fit.</exception>
    public IReadOnlyList<AdaptedModule> Build(IReadOnlyList<BaseModule> modules)
    {
        try
        {
            using var noGrad = no_grad();
            foreach (var module in modules)
            {
                if (Make(module, modules) is { } adapted)
                {
                    _modules.Add(adapted);
                }
            }

            RequireUse(modules);
            return _modules;
        }
        catch
        {
            _made.ForEach(parameter => parameter.Dispose());
            throw;
        }
    }

    /// <inheritdoc />
    public void Dispose() => _random.Dispose();

    private AdaptedModule? Make(BaseModule module, IReadOnlyList<BaseModule> modules)
    {
        var info = module.Info;
        if (_matcher.IsSaved(info))
        {
            return MakeSaved(module);
        }

        var sharedTarget = config.EnsureWeightTying && module.SharesWeightWith is { } embedding
            ? _modules.Find(other => other.Info.Name == embedding && other.Factors is not null)
            : null;
        if (sharedTarget is null && !_matcher.IsTarget(info))
        {
            return config.Bias == BiasMode.All && module.BiasLength > 0
                ? new AdaptedModule(info) { Bias = MakeBias(module, $"{info.Name}.bias", $"{info.Name}.bias") }
                : null;
        }

        var factors = sharedTarget is not null ? MakeShared(module, sharedTarget) : MakeFactors(module);
        var replacesBias = config.Bias != BiasMode.None && module.BiasLength > 0;
        return new AdaptedModule(info)
        {
            Factors = factors,
            Bias = replacesBias ? MakeBias(module, $"{info.Name}.base_layer.bias", $"{info.Name}.base_layer.bias") : null,
        };
    }

    private AdaptedModule MakeSaved(BaseModule module)
    {
        var name = module.Info.Name;
        return new AdaptedModule(module.Info)
        {
            Weight = Keep($"{name}.modules_to_save.default.weight", $"{name}.weight", module.WeightShape, () => Copy(module.Weight!), Decays(module, "weight")),
            Bias = module.BiasLength > 0 ? MakeBias(module, $"{name}.modules_to_save.default.bias", $"{name}.bias") : null,
        };
    }

    private Parameter MakeBias(BaseModule module, string name, string storedName) =>
        Keep(name, storedName, [module.BiasLength], () => Copy(module.Bias!), decays: false);

    private LowRankFactors MakeFactors(BaseModule module)
    {
        var (name, kind) = (module.Info.Name, module.Info.Kind);
        var rank = _matcher.Rank(name);
        var shape = module.WeightShape;
        if (kind == AdaptableLayerKind.Embedding)
        {
            return MakeEmbeddingFactors(module, rank);
        }

        var isConvolution = kind == AdaptableLayerKind.Convolution;
        var fanIn = shape[1..].Aggregate(1L, (product, size) => product * size);
        long[] firstShape = [rank, .. shape[1..]];
        long[] secondShape = isConvolution ? [shape[0], rank, 1] : [shape[0], rank];
        var first = Keep($"{name}.lora_A.default.weight", $"{name}.lora_A.weight", firstShape, () => StartFirst(firstShape, fanIn, rank));
        var second = Keep($"{name}.lora_B.default.weight", $"{name}.lora_B.weight", secondShape, () => StartSecond(secondShape, rank));
        var factors = new LowRankFactors
        {
            Kind = kind,
            Scale = _matcher.Scale(name),
            A = first,
            B = second,
            BBias = config.LoraBias
                ? Keep($"{name}.lora_B.default.bias", $"{name}.lora_B.bias", [shape[0]], () => zeros(shape[0]), decays: false)
                : null,
        };
        return config.UseDora
            ? factors with
            {
                Magnitude = Keep(
                    $"{name}.lora_magnitude_vector.default.weight",
                    $"{name}.lora_magnitude_vector",
                    isConvolution ? [1, shape[0], 1] : [shape[0]],
                    () => StartMagnitude(module, factors)),
            }
            : factors;
    }

    private LowRankFactors MakeEmbeddingFactors(BaseModule module, int rank)
    {
        var name = module.Info.Name;
        if (config.UseDora || config.LoraBias)
        {
            throw new AsrException($"{config.Source}: {(config.UseDora ? "use_dora" : "lora_bias")} does not work on the embedding {name}.");
        }

        var (entries, width) = (module.WeightShape[0], module.WeightShape[1]);
        var factors = new LowRankFactors
        {
            Kind = AdaptableLayerKind.Embedding,
            Scale = _matcher.Scale(name),
            A = Keep($"{name}.lora_embedding_A.default", $"{name}.lora_embedding_A", [rank, entries], () =>
                config.Start == StartValues.Random ? empty(rank, entries).normal_(0, 1, _random) : zeros(rank, entries)),
            B = Keep($"{name}.lora_embedding_B.default", $"{name}.lora_embedding_B", [width, rank], () => empty(width, rank).normal_(0, 1, _random)),
        };
        CompareBase(module);
        return factors;
    }

    /// <summary>The output projection of an adapted embedding has the embedding's factors; a file may hold them twice.</summary>
    private LowRankFactors MakeShared(BaseModule module, AdaptedModule embedding)
    {
        var name = module.Info.Name;
        var shared = new LowRankFactors
        {
            Kind = AdaptableLayerKind.Linear,
            Scale = embedding.Factors!.Scale,
            Shared = embedding.Factors,
        };
        using var scope = NewDisposeScope();
        Compare($"{name}.lora_A.weight", shared.First(ScalarType.Float32), "the transposed factor of the embedding, with ensure_weight_tying");
        Compare($"{name}.lora_B.weight", shared.Second(ScalarType.Float32), "the transposed factor of the embedding, with ensure_weight_tying");
        CompareBase(module);
        return shared;
    }

    /// <summary>PEFT stores the matrix of an adapted embedding too: it must be this model's.</summary>
    private void CompareBase(BaseModule module)
    {
        if (module.Weight is { } weight)
        {
            using var scope = NewDisposeScope();
            Compare($"{module.Info.Name}.base_layer.weight", weight.to(ScalarType.Float32), "the model's own: is it an adapter of another model?");
        }
        else if (source is StoredTensors && source.Has($"{Prefix}{module.Info.Name}.base_layer.weight"))
        {
            source.Get($"{Prefix}{module.Info.Name}.base_layer.weight", module.WeightShape, () => zeros(0)).Dispose();
        }
    }

    private void Compare(string storedName, Tensor expected, string what)
    {
        if (source is not StoredTensors || !source.Has(Prefix + storedName))
        {
            return;
        }

        // A model in half precision has rounded what the file holds in full.
        var stored = source.Get(Prefix + storedName, expected.shape, () => zeros(0));
        if (!allclose(stored.to(device), expected, rtol: 1e-2, atol: 1e-3))
        {
            throw new AsrException($"{config.Source}: the tensor {Prefix}{storedName} is not {what}");
        }
    }

    private Parameter Keep(string name, string storedName, long[] shape, Func<Tensor> start, bool decays = true)
    {
        using var scope = NewDisposeScope();
        var values = source.Get(Prefix + storedName, shape, start).to(ScalarType.Float32, device);
        var parameter = new Parameter(Prefix + name, Prefix + storedName, values.DetachFromDisposeScope().requires_grad_(isTrainable), isTrainable, decays);
        _made.Add(parameter);
        return parameter;
    }

    private static bool Decays(BaseModule module, string part) => part != "bias" && module.Info.Kind != AdaptableLayerKind.Normalization;

    private static Tensor Copy(Tensor values) => values.to(ScalarType.Float32).clone();

    // kaiming_uniform with a = √5 is uniform in ±1/√(fan in) (torch.nn.init).
    private Tensor StartFirst(long[] shape, long fanIn, int rank)
    {
        if (config.Start == StartValues.Gaussian)
        {
            return empty(shape).normal_(0, 1.0 / rank, _random);
        }

        var bound = 1 / Math.Sqrt(fanIn);
        return empty(shape).uniform_(-bound, bound, _random);
    }

    private Tensor StartSecond(long[] shape, int rank)
    {
        if (config.Start != StartValues.Random)
        {
            return zeros(shape);
        }

        var bound = 1 / Math.Sqrt(rank);
        return empty(shape).uniform_(-bound, bound, _random);
    }

    // So that the adapted weight is the base's at the start.
    private static Tensor StartMagnitude(BaseModule module, LowRankFactors factors)
    {
        var norm = module.Weight!.to(ScalarType.Float32).add(factors.Delta()).flatten(1).norm(1);
        return module.Info.Kind == AdaptableLayerKind.Convolution ? norm.view(1, -1, 1) : norm;
    }

    private void RequireUse(IReadOnlyList<BaseModule> modules)
    {
        if (!_modules.Exists(module => module.Factors is not null))
        {
            var endings = modules.Select(module => module.Info.Name[(module.Info.Name.LastIndexOf('.') + 1)..]).Distinct();
            throw new AsrException(
                $"{config.Source}: target_modules means no module of the model that can be adapted; its modules end in {string.Join(", ", endings)}.");
        }

        foreach (var name in config.ModulesToSave)
        {
            if (!modules.Any(module => module.Info.Name.EndsWith(name, StringComparison.Ordinal)))
            {
                throw new AsrException($"{config.Source}: modules_to_save names {name}, which is no module of the model that can be replaced.");
            }
        }

        if (config.EnsureWeightTying && _modules.Find(module => module.Weight is not null && modules.Any(other =>
            other.SharesWeightWith is not null && (other.Info == module.Info || other.SharesWeightWith == module.Info.Name))) is { } saved)
        {
            throw new AsrException($"{config.Source}: ensure_weight_tying with {saved.Info.Name} in modules_to_save is not supported.");
        }
    }
}
