with source as (
    select * from {{ source('raw', 'models') }}
),

renamed as (
    select
        run_id,
        model_id,
        model_key,
        source,
        source_ref,
        revision,
        adapter_revision,
        base_model,
        family,
        provider,
        kind,
        architecture,
        params_b,
        params_stated_b,
        active_params_b,
        quantization,
        dtype,
        chat_template_applied,
        chat_template_hash,
        tokenizer_hash
    from source
)

select * from renamed
